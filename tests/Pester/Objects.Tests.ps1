. "$PSScriptRoot/common.ps1"
BeforeDiscovery {
    # Named here, so that a new kind of object has to be among the samples: the unit tests hold them and the views together.
    $kinds = 'Balloon', 'ConsolePort', 'Cpu', 'CpuRegister', 'Difference', 'Drive', 'DriveMeasurement', 'Event', 'GuestCommandResult', 'GuestFileSystem', 'GuestImage',
    'GuestInfo', 'GuestNetworkInterface', 'GuestUser', 'Host', 'HostCheck', 'HostDevice', 'HostProgram', 'HugePage', 'HugePageNode', 'IoThread', 'LogEntry', 'Measurement',
    'NetworkAdapter', 'NetworkMeasurement', 'Rng', 'SharedFolder', 'Snapshot', 'SnapshotCheck', 'Switch', 'SwitchLease', 'Vm', 'VmCheck', 'Vsock'
}
BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato

    function New-Internal([string] $Kind, [object[]] $Of) { [Activator]::CreateInstance([type]"Strato.$Kind", [System.Reflection.BindingFlags]'NonPublic,Instance', $null, $Of, $null) }

    # An object whose parts a guest's agent, a network of one's own or huge pages would bring: what the client knows, from JSON, in the module's object.
    function New-Sample([string] $Kind, [object[]] $Of, [string] $Part, [string] $Json) {
        $information = [System.Text.Json.JsonSerializer]::Deserialize($Json, "Strato.Client.$Part" -as [type])
        New-Internal $Kind ($Of + $information)
    }

    # What JSON says in place of a value: numbers as numbers, texts as texts, nothing left out.
    function Assert-Json($Value, [System.Text.Json.JsonElement] $Json, [string] $Where) {
        if ($null -eq $Value) { $Json.ValueKind | Should -Be 'Null' -Because $Where }
        elseif ($Value -is [string]) { $Json.ValueKind, $Json.GetString() | Should -BeExactly 'String', $Value -Because $Where }
        elseif ($Value -is [bool]) { $Json.GetBoolean() | Should -Be $Value -Because $Where }
        elseif ($Value -is [datetime]) { $Json.GetDateTime().ToUniversalTime() | Should -Be $Value.ToUniversalTime() -Because $Where }
        elseif ($Value -is [ulong]) { $Json.GetUInt64() | Should -Be $Value -Because $Where }
        elseif ($Value -is [double]) { $Json.GetDouble() | Should -Be $Value -Because $Where }
        elseif ($Value -is [int] -or $Value -is [long]) { $Json.GetInt64() | Should -Be $Value -Because $Where }
        elseif ($Value -is [array]) {
            $Json.ValueKind, $Json.GetArrayLength() | Should -Be 'Array', $Value.Count -Because $Where
            for ($i = 0; $i -lt $Value.Count; $i++) { Assert-Json $Value[$i] $Json[$i] "$Where[$i]" }
        } else {
            $Json.ValueKind | Should -Be 'Object' -Because $Where
            foreach ($property in $Value.PSObject.Properties) { Assert-Json $property.Value $Json.GetProperty($property.Name) "$Where.$($property.Name)" }
        }
    }

    function Assert-Copy($Value, $Copy, [string] $Where) {
        if ($Value -is [array]) {
            @($Copy).Count | Should -Be $Value.Count -Because $Where
            for ($i = 0; $i -lt $Value.Count; $i++) { Assert-Copy $Value[$i] @($Copy)[$i] "$Where[$i]" }
        } elseif ($null -ne $Value -and $Value.GetType().Namespace -eq 'Strato') {
            $Copy.PSTypeNames[0] | Should -Be "Deserialized.$($Value.GetType())" -Because $Where
            foreach ($property in $Value.PSObject.Properties) {
                $Copy.PSObject.Properties.Name | Should -Contain $property.Name -Because $Where
                Assert-Copy $property.Value $Copy.($property.Name) "$Where.$($property.Name)"
            }
        } elseif ($Value -isnot [pscustomobject]) {
            $Copy | Should -BeExactly $Value -Because $Where
            if ($null -ne $Value) { $Copy.GetType() | Should -Be $Value.GetType() -Because $Where }
        }
    }

    if (-not $NoEngine) {
        $folder = New-TestState
        New-TinyKernel "$folder/tiny"
        $null = New-StratoVm tiny "$folder/tiny" -Memory 256MB | Start-StratoVm -AllowEmulation -PassThru | Wait-StratoVm -For Console -Match 'tiny guest' -Timeout 60
        $vm = New-StratoVm full "$folder/vmlinuz" -Notes 'größe' -Ephemeral
        $null = $vm | Add-StratoDrive "$folder/vmlinuz" -Serial S1 -PassThru | Add-StratoNetworkAdapter -User -Publish 8080:80 -PassThru | Add-StratoConsolePort agent -PassThru |
            Add-StratoIoThread fast -PassThru | Add-StratoSharedFolder $folder -PassThru | Add-StratoVsock -PassThru | Add-StratoRng -PassThru | Add-StratoBalloon -PassThru
        $target = ([type]'Strato.Vm').Assembly.GetType('Strato.PowerShell.VmTarget').GetMethod('Of', [type[]]([type]'Strato.Vm')).Invoke($null, @($vm.PSObject.BaseObject))
        Suspend-StratoVm tiny
        $samples = @{
            Vm                    = Get-StratoVm full
            Drive                 = Get-StratoDrive -VMName full
            NetworkAdapter        = Get-StratoNetworkAdapter -VMName full
            ConsolePort           = Get-StratoConsolePort -VMName full
            IoThread              = Get-StratoIoThread -VMName full
            SharedFolder          = Get-StratoSharedFolder -VMName full
            Vsock                 = Get-StratoVsock -VMName full
            Rng                   = Get-StratoRng -VMName full
            Balloon               = Get-StratoBalloon -VMName full
            Cpu                   = Get-StratoCpu -VMName tiny | Select-Object -First 1
            CpuRegister           = Debug-StratoVm tiny -Register | Select-Object -First 1
            Measurement           = Measure-StratoVm tiny -Count 1 -Interval 1
            LogEntry              = Get-StratoLog -VMName tiny -Tail 1
            Snapshot              = Save-StratoSnapshot tiny first -PassThru
            SnapshotCheck         = Test-StratoSnapshot tiny
            VmCheck               = Test-StratoVm full | Select-Object -First 1
            Difference            = Compare-StratoVm full -DifferenceName tiny | Select-Object -First 1
            Host                  = Get-StratoHost
            HostCheck             = Test-StratoHost | Select-Object -First 1
            GuestInfo             = New-Sample GuestInfo $target GuestDetails '{"HostName":"web","Os":"Debian","Commands":["guest-info"],"TimeZoneOffset":7200,"Interfaces":[{"Name":"eth0","MacAddress":"52:54:00:00:00:01","Addresses":[{"Address":"10.0.2.15","Prefix":24},{"Address":"fe80::1","Prefix":64}]}],"FileSystems":[{"Device":"vda","MountPoint":"/","Type":"ext4","Size":1073741824,"Used":5}],"Disks":[{"Name":"/dev/vda","IsPartition":false}],"Users":[{"Name":"root","LoginTime":"2024-05-01T10:00:00+02:00"}]}'
            GuestCommandResult    = New-Sample GuestCommandResult $target GuestCommandOutcome '{"ProcessId":77,"ExitCode":3,"Output":"YQo=","Error":"","OutputTruncated":false,"ErrorTruncated":true}'
            GuestImage            = New-Sample GuestImage @() GuestImageInfo '{"Kernel":"/i/vmlinuz","Initrd":"/i/initrd.img","Root":"/i/root.ext4","Source":"debian:trixie","Size":1073741824}'
            Switch                = New-Sample Switch @($null) SwitchInfo '{"Definition":{"Id":"12345678","Name":"lan","SwitchType":"Internal","BridgeName":"st-lan","Subnet":"192.168.100.0/24","Nat":true,"Runtime":"/run/x","Created":"2024-05-01T10:00:00+02:00"},"State":"Up","DhcpProcessId":5,"Vms":["a","b"],"Leases":[{"IPAddress":"192.168.100.7","MacAddress":"52:54:00:00:00:01","HostName":null,"Expires":"2024-05-01T11:00:00+02:00"}]}'
            DriveMeasurement      = New-Sample DriveMeasurement @() DriveRates '{"Id":"root","ReadBytes":4096.5,"WriteBytes":0,"Reads":1,"Writes":0,"Flushes":0,"ReadLatency":0.25,"WriteLatency":null}'
            NetworkMeasurement    = New-Sample NetworkMeasurement @() NetworkRates '{"Id":"lan","ReceiveBytes":1500,"SendBytes":null,"ReceivePackets":1,"SendPackets":null}'
            HugePageNode          = New-Internal HugePageNode 0, ([long]8), ([long]3)
            HugePage              = New-Sample HugePage @() HugePageInfo '{"PageSize":2097152,"Total":8,"Free":3,"Reserved":1,"Surplus":0,"MountPath":null,"Nodes":[{"Node":0,"Total":8,"Free":3}]}'
        }
        $null = Register-StratoEvent -VMName tiny -Event RESUME -SourceIdentifier sample
        Resume-StratoVm tiny
        $samples.Event = (Wait-Event sample -Timeout 30).SourceEventArgs
        Unregister-Event sample
        $samples.GuestNetworkInterface = $samples.GuestInfo.NetworkInterfaces[0]
        $samples.GuestFileSystem = $samples.GuestInfo.FileSystems[0]
        $samples.GuestUser = $samples.GuestInfo.Users[0]
        $samples.SwitchLease = $samples.Switch.Leases[0]
        $samples.HostDevice = $samples.Host.Devices[0]
        $samples.HostProgram = $samples.Host.Programs[0]
    }
}
AfterAll {
    if ($folder) {
        Get-StratoVm | Stop-StratoVm -TurnOff
        Remove-TestState $folder
    }
}

Describe 'Objects' -Tag Engine -Skip:([bool]$NoEngine) {
    It 'of each kind are looked at here' -TestCases @{ Kinds = $kinds } {
        ([type]'Strato.Vm').Assembly.GetExportedTypes() | Where-Object { $_.Namespace -eq 'Strato' -and $_.Name -ne 'View' } | ForEach-Object Name | Sort-Object |
            Should -Be ($Kinds | Sort-Object)
    }
    Context '<_>' -ForEach $kinds {
        BeforeAll { $sample = $samples[$_]; $kind = $_ }

        It 'is what it is called' { $sample.GetType().FullName | Should -Be "Strato.$kind" }
        It 'says the same as JSON, which ends' {
            $json = $sample | ConvertTo-Json -Depth 5 -WarningVariable warnings
            $warnings | Should -BeNullOrEmpty
            $sample | ConvertTo-Json -Depth 50 | Should -BeExactly $json
            Assert-Json $sample ([System.Text.Json.JsonDocument]::Parse($json).RootElement) $kind
        }
        It 'says the same through Clixml' {
            $sample | Export-Clixml "$folder/sample.xml"
            Assert-Copy $sample (Import-Clixml "$folder/sample.xml") $kind
        }
        It 'is shown as a table, a list and wide, also when it comes back' {
            $sample | Export-Clixml "$folder/sample.xml"
            foreach ($shown in $sample, (Import-Clixml "$folder/sample.xml")) {
                foreach ($format in 'Format-Table', 'Format-List', 'Format-Wide') {
                    # What a view's script throws stands in its place then.
                    $text = $shown | & $format -DisplayError | Out-String -Width 200
                    $text | Should -Not -Match '#ERR' -Because "$format of $($shown.PSTypeNames[0])"
                    $text.Trim() | Should -Not -BeNullOrEmpty -Because "$format of $($shown.PSTypeNames[0])"
                }
            }
        }
    }
    It 'of a VM that runs tell its engine in a list' {
        Get-StratoVm tiny | Format-List | Out-String | Should -Match "EngineVersion\S* +: \S*$([regex]::Escape((Get-StratoHost).EngineVersion))"
    }
}
