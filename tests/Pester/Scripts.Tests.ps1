. "$PSScriptRoot/common.ps1"
BeforeDiscovery {
    $scripts = Get-ChildItem "$RepoRoot/examples/*.ps1" | ForEach-Object { @{ Name = $_.Name; Path = $_.FullName } }
}
BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato
    $examples = "$RepoRoot/examples"
    $PSDefaultParameterValues['Start-StratoVm:AllowEmulation'] = $true
    # One that runs until Ctrl-C, in a shell of its own thread.
    function Start-Script([string] $Name, [hashtable] $Options) {
        Start-ThreadJob {
            $PSDefaultParameterValues['Start-StratoVm:AllowEmulation'] = $true
            Import-Module $using:ModulePath
            $with = $using:Options
            & "$using:examples/$using:Name" @with
        }
    }
}

Describe 'A script of examples' -Tag Unit {
    It '<Name> has help, and no errors of its grammar' -ForEach $scripts {
        $problems = $null
        $tree = [System.Management.Automation.Language.Parser]::ParseFile($Path, [ref]$null, [ref]$problems)
        $problems | Should -BeNullOrEmpty
        $help = $tree.GetHelpContent()
        $help.Synopsis | Should -Match '\.\s*$'
        if ($Name -ne 'demo.ps1') { $help.Examples | Should -Not -BeNullOrEmpty }
    }
    It 'are checked by PSScriptAnalyzer' -Skip:(-not (Get-Module -ListAvailable PSScriptAnalyzer)) {
        Invoke-ScriptAnalyzer "$examples" -Recurse -Severity Warning, Error | Out-String | Should -BeNullOrEmpty
    }
    It 'are told of' {
        $readme = Get-Content -Raw "$examples/README.md"
        foreach ($script in Get-ChildItem "$examples/*.ps1") { $readme | Should -Match ([regex]::Escape($script.Name)) }
    }
}

Describe 'A script of examples with tiny guests' -Tag Engine -Skip:([bool]$NoEngine) {
    BeforeEach {
        $folder = New-TestState
        New-TinyKernel "$folder/tiny"
        $tiny = @{ Kernel = "$folder/tiny"; Memory = 256MB }
    }
    AfterEach {
        Get-Job | Remove-Job -Force
        Get-StratoVm | Where-Object ProcessId | ForEach-Object { & /bin/kill -CONT $_.ProcessId }
        Get-StratoVm | Stop-StratoVm -TurnOff -Force
        Remove-TestState $folder
    }

    It 'starts a fleet, and what is missing of one' {
        $null = New-StratoDisk "$folder/root.img" 1MB
        $fleet = & "$examples/Start-Fleet.ps1" -Count 3 -Kernel "$folder/tiny" -Memory 256MB -Image "$folder/root.img" -Ready 'tiny guest' -Timeout 60
        $fleet.Name | Should -Be 'node1', 'node2', 'node3'
        $fleet.Ready | Should -Be $true, $true, $true
        (Get-StratoVm | Get-StratoDrive).Snapshot | Should -Be $true, $true, $true
        Stop-StratoVm node2 -TurnOff
        (& "$examples/Start-Fleet.ps1" -Count 3 -Kernel "$folder/tiny" -Ready 'tiny guest' -Timeout 60).State | Should -Be 'Running', 'Running', 'Running'
    }
    It 'restarts one after the other, and stops at the first that fails' {
        'web1', 'web2' | ForEach-Object { New-StratoVm $_ @tiny } | Start-StratoVm
        $before = (Get-StratoVm web*).ProcessId
        & "$examples/Restart-Rolling.ps1" web* -WhatIf
        (Get-StratoVm web*).ProcessId | Should -Be $before
        (& "$examples/Restart-Rolling.ps1" web* -Ready 'tiny guest' -TurnOffAfter 0).Name | Should -Be 'web1', 'web2'
        $after = (Get-StratoVm web*).ProcessId
        $after | Where-Object { $_ -in $before } | Should -BeNullOrEmpty
        { & "$examples/Restart-Rolling.ps1" web* -Ready 'never' -TurnOffAfter 0 -Timeout 1 } | Should -Throw -ErrorId 'WaitTimeout,*'
        (Get-StratoVm web2).ProcessId | Should -Be $after[1]
    }
    It 'starts what fails, until it fails too often, and leaves alone what was stopped' {
        'a', 'b' | ForEach-Object { New-StratoVm $_ @tiny } | Start-StratoVm
        $job = Start-Script Restart-OnFailure.ps1 @{ Limit = 1 }
        # It tells nothing of its beginning, so the first kills may come before it.
        Wait-Until {
            if ((Get-StratoVm a).State -eq 'Running') { & /bin/kill -KILL (Get-StratoVm a).ProcessId } elseif (-not $job.Output.Count) { Start-StratoVm a }
            $job.Output.Action -contains 'given up'
        } -Seconds 60
        $job.Output.Action | Should -Contain 'started again'
        Stop-StratoVm b -TurnOff
        Wait-Until { $job.Output.Name -contains 'b' }
        ($job.Output | Where-Object Name -EQ b).Action | Should -Be 'none'
        (Get-StratoVm b).State | Should -Be 'Stopped'
    }
    It 'asks guests for memory, and gives it back' {
        New-StratoVm a -Kernel "$folder/tiny" -Memory 512MB | Add-StratoBalloon -PassThru | Start-StratoVm
        $none = & "$examples/Resize-ByPressure.ps1" -Low 1 -High 1PB -Count 1
        $none | Should -BeNullOrEmpty
        & "$examples/Resize-ByPressure.ps1" -Low 1PB -Count 1 -WhatIf | Should -BeNullOrEmpty
        $asked = & "$examples/Resize-ByPressure.ps1" -Low 1PB -Count 1
        $asked.Target | Should -Be 384MB
        (& "$examples/Resize-ByPressure.ps1" -Low 1 -High 1 -Count 1) | Should -BeNullOrEmpty
        { & "$examples/Resize-ByPressure.ps1" -Low 2 -High 1 } | Should -Throw '*below*'
    }
    It 'saves by night, and keeps the newest' {
        $null = New-StratoDisk "$folder/d.img" 1MB
        New-StratoVm a @tiny | Add-StratoDrive "$folder/d.img" -PassThru | Start-StratoVm
        $null = New-StratoVm b @tiny
        'nightly-20200101-000000', 'nightly-20200102-000000', 'other' | ForEach-Object { Save-StratoSnapshot a $_ }
        $id = (Get-StratoVm a).Id
        $null = New-Item -ItemType Directory "$folder/b/$id-20200101-000000", "$folder/b/$id-20200102-000000", "$folder/b/other"
        $snapshot = & "$examples/Save-Nightly.ps1" a, b -Path "$folder/b" -Keep 2 -WarningVariable warnings 3> $null
        "$warnings" | Should -Match "'b' is stopped"
        $snapshot.Disks | Should -Be disk0
        (Get-StratoVm a).State | Should -Be 'Running'
        (Get-StratoSnapshot a).Name | Sort-Object | Should -Be 'nightly-20200102-000000', $snapshot.Name, 'other'
        $exported = Get-ChildItem "$folder/b" | Sort-Object Name
        $exported.Name | Should -Be "$id-20200102-000000", ($snapshot.Name -replace '^nightly', $id), 'other'
        (Test-StratoSnapshot a $snapshot.Name).Ok | Should -BeTrue
        (Import-StratoSnapshot $exported[1].FullName again -VMName a).Disks | Should -Be disk0
    }
    It 'removes no older ones of a night that fails' {
        New-StratoVm a @tiny | Start-StratoVm
        Save-StratoSnapshot a nightly-20200101-000000
        $null = New-Item "$folder/b" -ItemType File
        { & "$examples/Save-Nightly.ps1" a -Path "$folder/b" -Keep 1 } | Should -Throw '*is no folder*'
        { & "$examples/Save-Nightly.ps1" a -Sync -Keep 1 -ErrorAction Stop } | Should -Throw -ErrorId 'GuestAgentNotFound*'
        (Get-StratoSnapshot a).Name | Should -Be nightly-20200101-000000
        (Get-StratoVm a).State | Should -Be 'Running'
        { & "$examples/Save-Nightly.ps1" nobody* } | Should -Throw '*nothing was saved*'
    }
    It 'pins virtual CPUs, and lets them go' {
        New-StratoVm a @tiny -Cpu 1 | Start-StratoVm
        $last = [System.Environment]::ProcessorCount - 1
        (& "$examples/Set-CpuPinning.ps1" a -First $last).Affinity | Should -Be "$last"
        (Get-StratoCpu a).Affinity | Should -Be "$last"
        & "$examples/Set-CpuPinning.ps1" a -Clear
        (Get-StratoCpu a).Affinity | Should -Not -Be "$last"
        { & "$examples/Set-CpuPinning.ps1" a -First 100000 } | Should -Throw '*leaves no CPU*'
    }
    It 'measures boots' {
        $null = New-StratoVm a @tiny
        $figures = & "$examples/Measure-BootTime.ps1" a -Count 3 -Ready 'tiny guest'
        $figures.Boots | Should -HaveCount 3
        $figures.Fastest | Should -BeGreaterThan 0
        $figures.Slowest | Should -Not -BeLessThan $figures.Median
        (Get-StratoVm a).State | Should -Be 'Stopped'
        { & "$examples/Measure-BootTime.ps1" a -Count 1 -Ready never -Timeout 1 } | Should -Throw -ErrorId 'WaitTimeout,*'
        (Get-StratoVm a).State | Should -Be 'Stopped'
    }
    It 'finds problems on consoles' {
        'a', 'b', 'c' | ForEach-Object { New-StratoVm $_ @tiny } | Where-Object Name -NE c | Start-StratoVm
        & "$examples/Find-ConsoleProblem.ps1" | Where-Object Source -EQ Console | Should -BeNullOrEmpty
        Send-StratoConsole 'Kernel panic - not syncing' -VMName b -ExpectMatch 'syncing' -Timeout 30
        $found = & "$examples/Find-ConsoleProblem.ps1" | Where-Object Source -EQ Console
        $found.VMName | Should -Be 'b'
        $found.Text | Should -Match 'Kernel panic'
    }
    It 'reports' {
        $null = New-StratoDisk "$folder/d.img" 1MB
        New-StratoVm a @tiny -Notes 'one & only' | Add-StratoDrive "$folder/d.img" -PassThru | Start-StratoVm
        $null = New-StratoVm b @tiny
        $rows = & "$examples/Get-FleetReport.ps1"
        $rows.Name | Should -Be 'a', 'b'
        $rows[0].Disks | Should -Be "$folder/d.img"
        (& "$examples/Get-FleetReport.ps1" -As Csv | ConvertFrom-Csv).State | Should -Be 'Running', 'Stopped'
        (& "$examples/Get-FleetReport.ps1" -As Json | ConvertFrom-Json).Count | Should -Be 2
        & "$examples/Get-FleetReport.ps1" -As Html | Out-String | Should -Match 'one &amp; only'
    }
}

Describe 'A script of examples with Debian guests' -Tag Kvm -Skip:([bool]$NoAgent) {
    BeforeAll {
        $limit = $global:StratoTestHost.InLab ? 900 : 120
        $folder = New-TestState
    }
    AfterAll {
        Get-StratoVm | Stop-StratoVm -TurnOff -Force
        Remove-TestState $folder
    }

    It 'accepts the Debian image' {
        $data = @{ Kernel = "$GuestFolder/vmlinuz"; Initrd = "$GuestFolder/initrd.img"; Image = "$GuestFolder/debian.ext4"; Timeout = $limit }
        $configuration = New-PesterConfiguration
        $configuration.Run.Container = New-PesterContainer -Path "$examples/Image.Tests.ps1" -Data $data
        $configuration.Run.PassThru = $true
        $result = Invoke-Pester -Configuration $configuration
        $result.Failed.ExpandedPath | Should -BeNullOrEmpty
        $result.PassedCount | Should -BeGreaterThan 8
        Get-StratoVm | Should -BeNullOrEmpty
    }
}
