. "$PSScriptRoot/common.ps1"
BeforeDiscovery {
    $manifest = Import-PowerShellDataFile $ModulePath
    $cmdlets = $manifest.CmdletsToExport
}
BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato
    $folder = New-TestState
}
AfterAll { Remove-TestState $folder }

Describe 'The module' -Tag Unit {
    It 'has a valid manifest' {
        $info = Test-ModuleManifest $ModulePath
        $info.CompatiblePSEditions | Should -Be 'Core'
        $info.PrivateData.PSData.Tags | Should -Contain 'KVM'
    }
    It 'exports the cmdlets of its manifest and nothing else' {
        $module = Get-Module Strato
        $module.ExportedCmdlets.Keys | Sort-Object | Should -Be ((Import-PowerShellDataFile $ModulePath).CmdletsToExport | Sort-Object)
        $module.ExportedAliases.Keys | Should -Be 'Checkpoint-StratoVm'
        $module.ExportedFunctions.Count + $module.ExportedVariables.Count | Should -Be 0
    }
    It 'has no assembly of PowerShell beside it' {
        Get-ChildItem (Join-Path (Split-Path $ModulePath) bin) -Filter *.dll | ForEach-Object Name | Sort-Object |
            Should -Be 'Strato.Client.dll', 'Strato.PowerShell.dll', 'Strato.Protocol.dll'
    }
    It 'is built by build.ps1, whose tasks come as one word from other shells' {
        $said = & ([System.Environment]::ProcessPath) -NoProfile -NonInteractive -File "$RepoRoot/build.ps1" -Task 'Build, package' -WhatIf
        $LASTEXITCODE | Should -Be 0
        $said -match '"Run task"' | ForEach-Object { $_ -replace '.*target "(\w+)".*', '$1' } | Should -Be 'Build', 'package'
        { & "$RepoRoot/build.ps1" -Task Build, Pakage -WhatIf } | Should -Throw "Unknown task 'Pakage'*Build, Test*"
    }
    It 'writes nothing when it is imported' {
        Invoke-Pwsh '' | Should -BeNullOrEmpty
    }
    It 'can be removed and imported again' {
        Remove-Module Strato
        Import-Strato
        Get-Command Get-StratoVm | Should -Not -BeNullOrEmpty
    }
}

Describe 'Help' -Tag Unit {
    Context '<_>' -ForEach $cmdlets {
        BeforeAll { $help = Get-Help $_ -Full; $command = Get-Command $_ }
        It 'says what it does' {
            $help.Synopsis | Should -Match '^\S.*\.$'
            $help.Synopsis | Should -Not -Match 'Fill this in|^\s*\w+-Strato'
            ($help.description.Text -join '').Length | Should -BeGreaterThan 50
        }
        It 'has three examples' {
            @($help.examples.example).Count | Should -BeGreaterOrEqual 3
            $help.examples.example.code | Should -Match 'Strato'
        }
        It 'describes every parameter' {
            $common = [System.Management.Automation.Cmdlet]::CommonParameters
            foreach ($name in $command.Parameters.Keys | Where-Object { $_ -notin $common }) {
                $parameter = $help.parameters.parameter | Where-Object name -EQ $name
                ($parameter.description.Text -join '').Length | Should -BeGreaterThan 10 -Because "-$name"
            }
        }
        It 'has examples that parse' {
            foreach ($code in $help.examples.example.code) {
                $errors = $null
                $null = [System.Management.Automation.Language.Parser]::ParseInput($code, [ref] $null, [ref] $errors)
                $errors | Should -BeNullOrEmpty -Because $code
            }
        }
    }
    It 'has a topic about the module' {
        Get-Help about_Strato | Out-String | Should -Match 'virtual machine monitor'
    }
}

Describe 'Views' -Tag Unit {
    BeforeAll {
        New-StratoVm one "$folder/vmlinuz" -Memory 1536MB | Add-StratoDrive "$folder/vmlinuz" -Serial S1
        $vm = Get-StratoVm one
    }
    AfterAll { Remove-StratoVm one -Force }

    It 'shows VMs as a table' {
        $lines = ($vm | Out-String -Width 120) -split "`n" | Where-Object { $_ }
        $lines[0] | Should -Match '^\S*Name +State +CpuUsage\(%\) +MemoryAssigned +Uptime +Status'
        $lines[2] | Should -Match 'one +Stopped +0 B +00:00:00 '
    }
    It 'shows a list and a wide view' {
        $vm | Format-List | Out-String | Should -Match 'Memory\S* +: \S*1.5 GB'
        $vm | Format-Wide | Out-String | Should -Match 'one'
        $vm | Format-List * | Out-String | Should -Match 'QmpPath'
    }
    It 'shows network adapters' {
        $vm | Add-StratoNetworkAdapter -User -PortForward tcp:127.0.0.1:2222-:22
        $vm | Get-StratoNetworkAdapter | Out-String -Width 120 | Should -Match 'VMName +Id +Type +SwitchName +TapName +MacAddress +PortForward'
        $vm | Get-StratoNetworkAdapter | Format-List | Out-String | Should -Match 'PortForward\S* +: \S*tcp:127.0.0.1:2222-:22'
        ($vm | Get-StratoNetworkAdapter | ConvertTo-Json | ConvertFrom-Json).MacAddress | Should -Match '^.[26ae](:[0-9a-f]{2}){5}$'
    }
    It 'shows drives and hosts' {
        $vm | Get-StratoDrive | Out-String | Should -Match 'VMName +Id +Size +ReadOnly +Path'
        $vm | Get-StratoDrive | Format-List | Out-String | Should -Match 'Serial\S* +: \S*S1'
        Get-StratoHost | Out-String | Should -Match 'KvmReason'
    }
    It 'shows huge pages' -Skip:(-not (Test-Path /sys/kernel/mm/hugepages/hugepages-2048kB)) {
        Get-StratoHugePage | Out-String -Width 120 | Should -Match '(?s)Size +Total +Free +Reserved +MountPath.*2 MB +\d+ +\d+ +\d+'
        (Get-StratoHugePage 2MB).Total | Should -Be (Get-Content /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages)
        (Get-StratoHugePage 2MB | ConvertTo-Json -Depth 3 | ConvertFrom-Json).Size | Should -Be 2MB
    }
    It 'shows the other devices' {
        $vm | Add-StratoConsolePort agent -PassThru | Add-StratoSharedFolder $folder -PassThru | Add-StratoVsock -PassThru | Add-StratoRng -PassThru | Add-StratoBalloon
        $vm | Get-StratoConsolePort | Out-String -Width 200 | Should -Match '(?s)VMName +Id +Terminal +Backend +Path.*one +agent +False +Socket +\S+/port-agent.sock'
        $vm | Get-StratoSharedFolder | Out-String -Width 200 | Should -Match '(?s)VMName +Tag +Path.*one +share0 +/'
        $vm | Get-StratoVsock | Out-String | Should -Match '(?s)VMName +GuestCid.*one +3\b'
        $vm | Get-StratoRng | Out-String | Should -Match '(?s)VMName +Source +MaxBytes +Period.*one +/dev/urandom +0 +65536'
        $vm | Get-StratoBalloon | Out-String | Should -Match '(?s)VMName +Memory +Actual +DeflateOnOom +FreePageReporting.*one +1.5 GB +False'
    }
    It 'colours states, unless the output is to be plain' {
        $before = $PSStyle.OutputRendering
        $running = [pscustomobject]@{ PSTypeName = 'Strato.Vm'; Name = 'x'; State = 'Running'; CpuUsage = 5; MemoryAssigned = 1GB; Uptime = 60.5; Status = 'ok' }
        try {
            $PSStyle.OutputRendering = 'Ansi'
            $running | Out-String | Should -Match "`e\[32mRunning`e\[0m"
            $PSStyle.OutputRendering = 'PlainText'
            $running | Out-String | Should -Not -Match "`e"
            $running | Out-String | Should -Match 'x +Running +5 +1 GB +00:01:00 ok'
        } finally { $PSStyle.OutputRendering = $before }
    }
}

Describe 'Objects' -Tag Unit {
    BeforeAll {
        New-StratoVm one "$folder/vmlinuz" -Notes 'größe' | Add-StratoDrive "$folder/vmlinuz" -Serial S1
        $vm = Get-StratoVm one
    }
    AfterAll { Remove-StratoVm one -Force }

    It 'say the same as JSON' {
        $copy = $vm | ConvertTo-Json | ConvertFrom-Json
        foreach ($name in 'Name', 'Id', 'State', 'Uptime', 'Memory', 'Cpu', 'Kernel', 'Notes', 'MemoryAssigned') {
            $copy.$name | Should -BeExactly $vm.$name -Because $name
        }
        $copy.Drives[0].Serial | Should -Be 'S1'
        $copy.Created | Should -BeOfType [datetime]
    }
    It 'say the same through Clixml, and can be used again' {
        $path = Join-Path $folder vm.xml
        $vm | Export-Clixml $path
        $copy = Import-Clixml $path
        $copy.PSTypeNames[0] | Should -Be 'Deserialized.Strato.Vm'
        $copy.Drives[0].Path | Should -Be "$folder/vmlinuz"
        ($copy | Set-StratoVm -Cpu 2 -PassThru).Cpu | Should -Be 2
    }
    It 'come back from a job' {
        $copy = Start-Job { Import-Module $using:ModulePath; Get-StratoVm one } | Receive-Job -Wait -AutoRemoveJob
        $copy.Name | Should -Be 'one'
        ($copy | Get-StratoDrive).Serial | Should -Be 'S1'
    }
    It 'are refreshed on demand' {
        $old = Get-StratoVm one
        Set-StratoVm one -Notes 'new'
        $old.Notes | Should -Not -Be 'new'
        $old.Refresh()
        $old.Notes | Should -Be 'new'
    }
}

Describe 'Completion' -Tag Unit {
    BeforeAll {
        'web', 'we two', 'db' | ForEach-Object { New-StratoVm $_ "$folder/vmlinuz" } | Add-StratoDrive "$folder/vmlinuz" -Id root -PassThru |
            Add-StratoNetworkAdapter -User -Id lan
        Add-StratoConsolePort agent -VMName web
        Add-StratoIoThread fast -VMName web
        Add-StratoSharedFolder $folder -Tag docs -VMName web
        function Complete([string] $Text) { (TabExpansion2 $Text $Text.Length).CompletionMatches.CompletionText }
    }
    AfterAll { Remove-StratoVm * -Force }

    It 'completes <Text>' -ForEach @(
        @{ Text = 'Start-StratoVm we'; Expected = @("'we two'", 'web') }
        @{ Text = 'Stop-StratoVm -VMName d'; Expected = @('db') }
        @{ Text = 'Get-StratoDrive r'; Expected = @('root') }
        @{ Text = 'Get-StratoDrive -VMName web -Id '; Expected = @('root') }
        @{ Text = 'Get-StratoNetworkAdapter -VMName web -Id '; Expected = @('lan') }
        @{ Text = 'Set-StratoNetworkAdapter l'; Expected = @('lan') }
        @{ Text = 'Wait-StratoVm web -For P'; Expected = @('Paused') }
        @{ Text = 'Set-StratoDrive root -VMName web -IoThread f'; Expected = @('fast') }
        @{ Text = 'Get-StratoConsolePort -VMName web -Id a'; Expected = @('agent') }
        @{ Text = 'Set-StratoSharedFolder -VMName web -Tag d'; Expected = @('docs') }
        @{ Text = 'New-StratoVm x -Machine '; Expected = @('microvm') }
        @{ Text = 'Invoke-StratoQmp query-st'; Expected = @('query-status') }
        @{ Text = 'Send-StratoConsole x -VMName w'; Expected = @("'we two'", 'web') }
    ) { Complete $Text | Should -Be $Expected }
}

Describe 'Import' -Tag Slow {
    It 'takes at most 60 ms more than an empty binary module' {
        $empty = Join-Path $folder Empty
        $null = New-Item -ItemType Directory $empty
        Add-Type -TypeDefinition 'using System.Management.Automation; [Cmdlet("Get", "EmptyThing")] public class Empty : PSCmdlet { }' -OutputAssembly "$empty/Empty.dll"
        New-ModuleManifest "$empty/Empty.psd1" -RootModule Empty.dll -CmdletsToExport Get-EmptyThing -FunctionsToExport @() -AliasesToExport @() -VariablesToExport @()
        function Measure-Import([string] $Path) {
            [double](& ([System.Environment]::ProcessPath) -NoProfile -NonInteractive -c "(Measure-Command { Import-Module '$Path' }).TotalMilliseconds")
        }
        # In turn, so that both see the same load; the least of each, since load only adds.
        $times = 1..7 | ForEach-Object { [pscustomobject]@{ Empty = Measure-Import "$empty/Empty.psd1"; Strato = Measure-Import $ModulePath } }
        $least = @{ Empty = ($times.Empty | Measure-Object -Minimum).Minimum; Strato = ($times.Strato | Measure-Object -Minimum).Minimum }
        Write-Host ('    import: {0:N0} ms, an empty module {1:N0} ms' -f $least.Strato, $least.Empty)
        $least.Strato - $least.Empty | Should -BeLessOrEqual 60
    }
}
