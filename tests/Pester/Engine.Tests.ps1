. "$PSScriptRoot/common.ps1"
BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato
    if (-not $NoEngine) {
        $folder = New-TestState
        New-TinyKernel "$folder/tiny"
        # The tiny guest runs where KVM only emulates, too.
        $PSDefaultParameterValues['Start-StratoVm:AllowEmulation'] = $true
        $start = 'Start-StratoVm -AllowEmulation'
    }
}
AfterAll { if ($folder) { Remove-TestState $folder } }

Describe 'An engine' -Tag Engine -Skip:([bool]$NoEngine) {
    BeforeEach { $null = New-StratoVm tiny "$folder/tiny" -Memory 256MB }
    AfterEach {
        Get-StratoVm | Where-Object ProcessId | ForEach-Object { & /bin/kill -CONT $_.ProcessId }
        Get-StratoVm | Stop-StratoVm -TurnOff
        Get-StratoVm | Remove-StratoVm -Force
    }

    It 'goes through its life' {
        Start-StratoVm tiny | Should -BeNullOrEmpty
        $vm = Get-StratoVm tiny
        $vm.State | Should -Be 'Running'
        $vm.MemoryAssigned | Should -Be 256MB
        Get-Content "/proc/$($vm.ProcessId)/cmdline" | Should -Match 'strato-engine'
        (Suspend-StratoVm tiny -PassThru).State | Should -Be 'Paused'
        (Resume-StratoVm tiny -PassThru).State | Should -Be 'Running'
        (Restart-StratoVm tiny -Reset -PassThru).ProcessId | Should -Be $vm.ProcessId
        # As it was started, also where that took -AllowEmulation.
        $again = Restart-StratoVm tiny -TurnOffAfter 0 -PassThru
        $again.State | Should -Be 'Running'
        $again.ProcessId | Should -Not -Be $vm.ProcessId
        Stop-StratoVm tiny -TurnOff
        $vm.Refresh()
        $vm.State | Should -Be 'Stopped'
        $vm.StateReason | Should -BeNullOrEmpty
    }
    It 'is copied with its disks when it is stopped' {
        $null = New-StratoDisk "$folder/tiny.img" 1MB
        Add-StratoDrive "$folder/tiny.img" -VMName tiny
        Start-StratoVm tiny
        { Copy-StratoVm tiny copy -CopyDisk -ErrorAction Stop } | Should -Throw -ErrorId 'VmRunning,*'
        { New-StratoDisk "$folder/tiny.img" 2MB -Force -ErrorAction Stop } | Should -Throw -ErrorId 'DriveInUse,*'
        Stop-StratoVm tiny -TurnOff
        Copy-StratoVm tiny copy -CopyDisk | Start-StratoVm
        Start-StratoVm tiny
        (Get-StratoVm).State | Should -Be 'Running', 'Running'
    }
    It 'leaves no half disk when the shell that makes it is killed' {
        $bin = (New-Item -ItemType Directory "$folder/killed").FullName
        Set-Content "$bin/mkfs.ext4" "#!/bin/sh`necho begun > '$bin/begun'`nexec sleep 100`n" -NoNewline
        & chmod +x "$bin/mkfs.ext4"
        $shell = Start-Process pwsh '-NoProfile', '-NonInteractive', '-Command', "`$env:PATH = '${bin}:' + `$env:PATH; Import-Module '$ModulePath'; New-StratoDisk '$bin/disk.img' 64MB -Format ext4" -PassThru
        Wait-Until { Test-Path "$bin/begun" }
        & /bin/kill -KILL $shell.Id
        $shell.WaitForExit()
        Get-ChildItem $bin -Force | Select-Object -ExpandProperty Name | Should -Be 'begun', 'mkfs.ext4'
        Get-Process sleep | Where-Object { (Get-Item "/proc/$($_.Id)/fd/3" -ErrorAction Ignore).Target -like "$bin/*" } | Stop-Process
    }
    It 'has a log, which can be followed' {
        Start-StratoVm tiny
        $follower = Start-ThreadJob { Import-Module $using:ModulePath; Get-StratoLog tiny -Follow }
        Wait-Until { $follower.Output.Count -gt 1 }
        $follower.Output[0].Message | Should -Be "start of 'tiny'"
        Rename-StratoVm tiny small
        Stop-StratoVm small -TurnOff
        $log = Receive-Job $follower -Wait -AutoRemoveJob
        $log[-1].Level, $log[-1].Time.Kind | Should -Be 'info', 'Local'
        $log | Where-Object Message -Like 'end (*)' | Should -HaveCount 1
        (Get-StratoLog small).Line | Should -Be $log.Line
        Get-StratoLog small -Tail 1 | Format-Table | Out-String | Should -Match 'Level +Source +Message'
        Start-StratoVm small
        (Get-StratoLog small -Previous).Line | Should -Be $log.Line
        (Get-StratoLog small)[0].Message | Should -Be "start of 'small'"
    }
    It 'shows and pins virtual CPUs, and takes more while it runs' {
        $first = ((Get-Content /proc/self/status) -match '^Cpus_allowed_list:' -split '\t')[1] -split '[-,]' | Select-Object -First 1
        Set-StratoVm tiny -MaximumCpu 3
        Set-StratoCpu tiny -Cpu 2 -Affinity $first
        Start-StratoVm tiny
        $cpu = Get-StratoCpu tiny
        $cpu.Index | Should -Be 0
        Get-Content "/proc/$((Get-StratoVm tiny).ProcessId)/task/$($cpu.ThreadId)/comm" | Should -Be 'CPU 0/KVM'
        $cpu | Set-StratoCpu -Affinity $first
        (Get-StratoCpu tiny).Affinity | Should -Be $first
        (Set-StratoVm tiny -Cpu 3 -PassThru).Cpu | Should -Be 3
        $cpus = Get-StratoCpu tiny
        $cpus.Index | Should -Be 0, 1, 2
        $cpus[2].Affinity | Should -Be $first
        { Set-StratoVm tiny -Cpu 4 -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidTopology*'
        # The tiny guest doesn't listen.
        { Set-StratoVm tiny -Cpu 1 -Wait -Timeout 0 -ErrorAction Stop } | Should -Throw -ErrorId 'WaitTimeout*'
        Get-StratoVm tiny | Set-StratoCpu -Affinity ''
        Stop-StratoVm tiny -TurnOff
        (Get-StratoCpu tiny).Affinity | Should -BeNullOrEmpty
    }
    It 'runs in huge pages, and only where there are enough' -Skip:((id -u) -ne 0 -or -not (Test-Path /sys/kernel/mm/hugepages/hugepages-2048kB)) {
        # Other tests on this host use the same pages.
        Wait-Until { try { $script:lock = [IO.File]::Open('/tmp/strato-test-hugepages.lock', 'OpenOrCreate', 'ReadWrite', 'None'); $true } catch [IO.IOException] { $false } } -Seconds 120
        $before = Get-StratoHugePage 2MB
        $mounted = $null
        try {
            if (-not $before.MountPath) {
                $mounted = (New-Item -ItemType Directory "$folder/huge").FullName
                mount -t hugetlbfs -o pagesize=2M none $mounted
            }
            Set-StratoHugePage 2MB ($before.Total - $before.Free + $before.Reserved + 128)
            Set-StratoVm tiny -HugePage 2MB
            Start-StratoVm tiny
            $vm = Wait-StratoVm tiny -Match '^tiny guest$' -Timeout 20 -PassThru
            $vm.HugePage | Should -Be 2MB
            # What the host's tools call resident leaves huge pages out.
            $vm.MemoryResident - (Get-Process -Id $vm.ProcessId).WorkingSet64 | Should -BeGreaterThan 1MB
            $full = Get-StratoHugePage 2MB
            $full.Free | Should -Be $full.Reserved
            (Invoke-StratoQmp query-mem -VMName tiny).'page-size' | Should -Be 2MB
            New-StratoVm other "$folder/tiny" -Memory 256MB -HugePage 2MB
            $problem = { Start-StratoVm other -ErrorAction Stop } | Should -Throw -PassThru -ErrorId 'HugePagesTooFew,*'
            "$problem" | Should -BeLike 'The guest''s memory of 256 MiB needs 128 huge pages of 2 MiB, and * are free*'
            Stop-StratoVm tiny -TurnOff
            $left = Get-StratoHugePage 2MB
            $left.Free - $left.Reserved | Should -Be 128
        } finally {
            Get-StratoVm | Stop-StratoVm -TurnOff
            Set-StratoHugePage 2MB $before.Total
            if ($mounted) { umount $mounted }
            $script:lock.Dispose()
        }
    }
    It 'has a console to wait for, to read, to follow and to type into' {
        Start-StratoVm tiny
        (Wait-StratoVm tiny -For Console -Match '^tiny guest$' -Timeout 20 -PassThru).Name | Should -Be 'tiny'
        Send-StratoConsole 'hello' -VMName tiny -ExpectMatch 'hello' -Timeout 20
        Get-StratoVm | Send-StratoConsole 'there' -NoNewline -ExpectMatch 'there$' -Timeout 20
        Get-StratoConsole tiny | Should -Be 'tiny guest', 'hello', 'there'
        Get-StratoConsole tiny -Tail 1 | Should -Be 'there'
        Get-StratoConsole tiny -Tail 2 -Follow | Select-Object -First 1 | Should -Be 'hello'
        { Send-StratoConsole 'x' -VMName tiny -ExpectMatch 'tiny guest' -Timeout 1 -ErrorAction Stop } | Should -Throw -ErrorId 'WaitTimeout,*'
        Stop-StratoVm tiny -TurnOff
        Get-StratoConsole tiny -Tail 3 | Select-Object -First 1 | Should -Be 'tiny guest'
    }
    It 'has user networking as long as it runs' -Skip:(-not (Get-Command passt -ErrorAction Ignore) -or -not (ip route show default)) {
        $listener = [Net.Sockets.TcpListener]::new([Net.IPAddress]::Loopback, 0)
        $listener.Start()
        $port = $listener.LocalEndpoint.Port
        $listener.Stop()
        Add-StratoNetworkAdapter -VMName tiny -User -PortForward "tcp:127.0.0.1:$port-:22"
        Start-StratoVm tiny
        $client = [Net.Sockets.TcpClient]::new('127.0.0.1', $port)
        $client.ReceiveTimeout = 20000
        Stop-StratoVm tiny -TurnOff
        # The kernel closes the connection when passt has gone.
        $end = try { $client.GetStream().ReadByte() } catch { "$_" }
        $end | Should -Match '^-1$|reset'
        $client.Dispose()
    }
    It 'has its network cable pulled and put in' -Skip:(-not (Get-Command passt -ErrorAction Ignore) -or -not (ip route show default)) {
        Add-StratoNetworkAdapter -VMName tiny -User -Connected:$false
        (Start-StratoVm tiny -PassThru).State | Should -Be 'Running'
        foreach ($connected in $true, $false) {
            Set-StratoNetworkAdapter net0 -VMName tiny -Connected:$connected
            (Get-StratoNetworkAdapter -VMName tiny).Connected | Should -Be $connected
        }
        { Set-StratoNetworkAdapter net0 -VMName tiny -Connected -Vhost -ErrorAction Stop } | Should -Throw -ErrorId 'VmRunning,*' -ExpectedMessage '*but for -Connected*'
    }
    It 'tells what its network lacks' {
        Add-StratoNetworkAdapter nosuchtap0 -VMName tiny
        { Start-StratoVm tiny -ErrorAction Stop } | Should -Throw -ErrorId 'TapFailed,*' -ExpectedMessage "*no interface 'nosuchtap0'*ip tuntap add*"
        Set-StratoNetworkAdapter net0 -VMName tiny -User
        $path = $env:PATH
        try {
            # One that is in the way of the host's own, which is found where PATH has none.
            $null = New-Item -ItemType Directory "$folder/programs"
            Set-Content "$folder/programs/passt" "#!/bin/sh`necho No routable interface >&2; exit 1" -NoNewline
            & /bin/chmod +x "$folder/programs/passt"
            $env:PATH = "$folder/programs:$path"
            { Start-StratoVm tiny -ErrorAction Stop } | Should -Throw -ErrorId 'PasstFailed,*' -ExpectedMessage "*net 'net0'*No routable interface*"
            if (-not (Test-Path /usr/bin/passt)) {
                $env:PATH = '/nonexistent'
                { Start-StratoVm tiny -ErrorAction Stop } | Should -Throw -ErrorId 'PasstNotFound,*' -ExpectedMessage '*package*passt*'
            }
        } finally { $env:PATH = $path }
    }
    It 'shares folders as long as it runs' -Skip:(-not (Test-Path /usr/lib/qemu/virtiofsd, /usr/libexec/virtiofsd -PathType Leaf).Contains($true) -or (id -u) -ne 0) {
        $null = New-Item -ItemType Directory "$folder/share"
        Add-StratoSharedFolder "$folder/share" -Tag mine -VMName tiny
        Start-StratoVm tiny
        pgrep -f "^\S*virtiofsd .*$folder/share" | Should -Not -BeNullOrEmpty
        Stop-StratoVm tiny -TurnOff
        pgrep -f "^\S*virtiofsd .*$folder/share" | Should -BeNullOrEmpty
    }
    It 'tells what its shared folder lacks' {
        $null = New-Item -ItemType Directory "$folder/lacks"
        Add-StratoSharedFolder "$folder/lacks" -VMName tiny
        [IO.File]::WriteAllText("$folder/virtiofsd", "#!/bin/sh`necho not today >&2`nexit 7`n")
        chmod +x "$folder/virtiofsd"
        $path = $env:PATH
        try {
            $env:PATH = "$folder`:$path"
            { Start-StratoVm tiny -ErrorAction Stop } | Should -Throw -ErrorId 'VirtiofsdFailed,*' -ExpectedMessage '*exit code 7: not today*'
        } finally { $env:PATH = $path }
        Remove-Item "$folder/lacks"
        { Start-StratoVm tiny -ErrorAction Stop } | Should -Throw -ErrorId 'SharedFolderPathNotFound,*' -ExpectedMessage "*$folder/lacks*"
    }
    It 'that is reset is waited for in its new boot only' {
        Start-StratoVm tiny
        Send-StratoConsole 'hello' -VMName tiny -ExpectMatch 'hello' -Timeout 20
        Restart-StratoVm tiny -Reset -PassThru | Wait-StratoVm -Match '^tiny guest$' -Timeout 20
        { Wait-StratoVm tiny -Match 'hello' -Timeout 1 -ErrorAction Stop } | Should -Throw -ErrorId 'WaitTimeout,*'
        # The guest resets itself, by Ctrl-R.
        Send-StratoConsole "second`u{12}" -VMName tiny -NoNewline -ExpectMatch 'tiny guest$' -Timeout 20
        { Wait-StratoVm tiny -Match 'second' -Timeout 1 -ErrorAction Stop } | Should -Throw -ErrorId 'WaitTimeout,*'
        ((Get-StratoConsole tiny) -match 'tiny guest').Count | Should -Be 3
    }
    It 'answers QMP' {
        Start-StratoVm tiny
        $status = Invoke-StratoQmp query-status -VMName tiny
        $status.status | Should -Be 'running'
        $status.running | Should -BeTrue
        Get-StratoVm | Invoke-StratoQmp query-cpus | Should -HaveCount 1
        (Invoke-StratoQmp query-commands -VMName tiny).name | Should -Contain 'system_powerdown'
        Invoke-StratoQmp stop -VMName tiny | Should -BeNullOrEmpty
        (Get-StratoVm tiny).State | Should -Be 'Paused'
        { Invoke-StratoQmp fly -VMName tiny -ErrorAction Stop } | Should -Throw -ErrorId 'QmpCommandNotFound,*'
        { Invoke-StratoQmp cont -VMName tiny -Arguments 'no json' } | Should -Throw -ErrorId 'ArgumentsInvalid,*'
    }
    It 'may wait with its virtual CPUs standing' {
        (Start-StratoVm tiny -Paused -PassThru).State | Should -Be 'Paused'
        Get-StratoConsole tiny | Should -BeNullOrEmpty
        Resume-StratoVm tiny
        Wait-StratoVm tiny -Match 'tiny guest' -Timeout 20
    }
    It 'is started for several VMs at once, in order' {
        1..4 | ForEach-Object { New-StratoVm "n$_" "$folder/tiny" -Memory 256MB } | Start-StratoVm -PassThru | Wait-StratoVm -Match tiny -Timeout 60 -PassThru |
            ForEach-Object Name | Should -Be 'n1', 'n2', 'n3', 'n4'
        (Get-StratoVm n* | Where-Object State -EQ Running).Count | Should -Be 4
    }
    It 'that runs keeps its definition' {
        Start-StratoVm tiny
        { Set-StratoVm tiny -Memory 1GB -ErrorAction Stop } | Should -Throw -ErrorId 'VmRunning,*'
        { Remove-StratoVm tiny -Force -ErrorAction Stop } | Should -Throw -ErrorId 'VmRunning,*'
        Set-StratoVm tiny -NewName small -PassThru | ForEach-Object State | Should -Be 'Running'
        Wait-StratoVm small -Match tiny -Timeout 20
        Start-StratoVm small -WarningVariable warned -WarningAction SilentlyContinue
        $warned | Should -Match 'Running already'
    }
    It 'outlives the shell that started it, which ends at once, also when its output is a pipe' {
        $pwsh = [System.Environment]::ProcessPath
        $sh = "'$pwsh' -NoProfile -NonInteractive -c ""Import-Module '$ModulePath'; $start tiny; (Get-StratoVm tiny).State"" | cat"
        $took = Measure-Command { $script:said = & timeout 60 sh -c $sh }
        $said | Should -Be 'Running'
        $took.TotalSeconds | Should -BeLessThan 60
        $vm = Get-StratoVm tiny
        $vm.State | Should -Be 'Running'
        # Its own session, so that neither Ctrl-C nor a hang-up reaches it.
        $stat = (Get-Content "/proc/$($vm.ProcessId)/stat") -replace '^.*\) ' -split ' '
        $stat[3] | Should -Be $vm.ProcessId
        Send-StratoConsole 'still here' -VMName tiny -ExpectMatch 'still here' -Timeout 20
    }
    It 'that is killed is a stopped VM with the reason, and starts again' {
        $vm = Start-StratoVm tiny -PassThru
        & /bin/kill -KILL $vm.ProcessId
        Wait-StratoVm tiny -For Stopped -Timeout 20
        $vm.Refresh()
        $vm.State | Should -Be 'Stopped'
        $vm.StateReason | Should -Match 'SIGKILL|unexpectedly'
        $vm.Status | Should -Match 'SIGKILL|unexpectedly'
        Start-StratoVm tiny
        (Get-StratoVm tiny).State | Should -Be 'Running'
    }
    It 'that is killed while it <What> is a stopped VM with the reason, and starts again' -ForEach @(
        @{ What = 'is spawned'; File = 's/vms/*/run.json'; Script = { Start-StratoVm tiny -AllowEmulation } }
        @{ What = 'loads the kernel'; File = 'r/*/console.sock'; Script = { Start-StratoVm tiny -AllowEmulation } }
        @{ What = 'becomes ready'; File = 'r/*/qmp.sock'; Script = { Start-StratoVm tiny -AllowEmulation } }
        @{ What = 'resets'; File = 'resetting'; Script = { Start-StratoVm tiny -AllowEmulation; while ($?) { $null > "$($env:STRATO_STATE)/../resetting"; Restart-StratoVm tiny -Reset } } }
        @{ What = 'is asked to stop'; File = 'stopping'; Script = { Start-StratoVm tiny -AllowEmulation; $null > "$($env:STRATO_STATE)/../stopping"; Stop-StratoVm tiny } }
    ) {
        $other = [powershell]::Create().AddScript("Import-Module '$ModulePath'; $Script")
        $handle = $other.BeginInvoke()
        $end = [datetime]::UtcNow.AddSeconds(30)
        # Without a pause between the looks: the moment is short.
        while (-not (Test-Path "$folder/$File") -and [datetime]::UtcNow -lt $end) { }
        $record = Get-Content "$folder/s/vms/*/run.json" -ErrorAction Ignore | ConvertFrom-Json
        $record.pid | Should -BeGreaterThan 1
        & /bin/kill -KILL $record.pid
        Wait-Until { $handle.IsCompleted }
        Wait-StratoVm tiny -For Stopped -Timeout 20
        $vm = Get-StratoVm tiny
        $vm.State | Should -Be 'Stopped'
        $vm.StateReason | Should -Match 'SIGKILL|unexpectedly'
        $other.Dispose()
        Start-StratoVm tiny
        (Get-StratoVm tiny).State | Should -Be 'Running'
    }
    It 'that is stopped by SIGSTOP is Unresponsive within a second and hangs nobody' {
        $null = New-StratoVm other "$folder/tiny" -Memory 256MB
        $vm = Start-StratoVm tiny, other -PassThru | Where-Object Name -EQ tiny
        & /bin/kill -STOP $vm.ProcessId
        $took = Measure-Command { $script:states = Get-StratoVm }
        ($states | Where-Object Name -EQ tiny).State | Should -Be 'Unresponsive'
        ($states | Where-Object Name -EQ other).State | Should -Be 'Running'
        $took.TotalSeconds | Should -BeLessThan 3
        { Invoke-StratoQmp query-status -VMName tiny -Timeout 1 -ErrorAction Stop } | Should -Throw -ErrorId 'QmpTimeout,*'
        & /bin/kill -CONT $vm.ProcessId
        Wait-Until { (Get-StratoVm tiny).State -eq 'Running' }
        & /bin/kill -STOP $vm.ProcessId
        Stop-StratoVm tiny -TurnOff
        (Get-StratoVm tiny).State | Should -Be 'Stopped'
    }
    It 'that cannot start says why and leaves nothing' {
        Set-Content "$folder/bad" 'this is not a kernel'
        Set-StratoVm tiny -Kernel "$folder/bad"
        $problem = try { Start-StratoVm tiny -ErrorAction Stop } catch { $_ }
        "$problem" | Should -Match ([regex]::Escape("$folder/bad"))
        (Get-StratoVm tiny).State | Should -Be 'Stopped'
        Get-TestEngine $folder | Should -BeNullOrEmpty
    }
    It 'that Ctrl-C interrupts before it is ready leaves nothing' {
        Set-Content "$folder/held" "#!/bin/sh`nexec sleep 1000" -NoNewline
        & /bin/chmod +x "$folder/held"
        $run = Join-Path (Get-StratoVm tiny).Path 'run.json'
        # What runs in a shell's background ignores SIGINT, and so would all it starts.
        $start = [System.Diagnostics.ProcessStartInfo]::new('/usr/bin/env')
        '--default-signal=INT', [System.Environment]::ProcessPath, '-NoProfile', '-NonInteractive', '-c', "Import-Module '$ModulePath'; Start-StratoVm tiny" |
            ForEach-Object { $start.ArgumentList.Add($_) }
        $start.Environment['STRATO_ENGINE'] = "$folder/held"
        $shell = [System.Diagnostics.Process]::Start($start)
        Wait-Until { Test-Path $run }
        $held = (Get-Content $run | ConvertFrom-Json).pid
        & /bin/kill -INT $shell.Id
        $shell.WaitForExit(20000) | Should -BeTrue
        Test-Path "/proc/$held" | Should -BeFalse
        Test-Path $run | Should -BeFalse
        Get-ChildItem -Force $env:STRATO_RUNTIME | Should -BeNullOrEmpty
        (Get-StratoVm tiny).State | Should -Be 'Stopped'
    }
    It 'has its disks locked against a second one' {
        [System.IO.File]::WriteAllBytes("$folder/disk.img", [byte[]]::new(1MB))
        $null = New-StratoVm other "$folder/tiny" -Memory 256MB
        Get-StratoVm | Add-StratoDrive "$folder/disk.img"
        Start-StratoVm tiny
        { Start-StratoVm other -ErrorAction Stop } | Should -Throw -ErrorId 'DriveLocked,*'
    }
    It 'takes a limit of its disk, and no other change' {
        [System.IO.File]::WriteAllBytes("$folder/disk.img", [byte[]]::new(1MB))
        Add-StratoDrive "$folder/disk.img" -VMName tiny
        Start-StratoVm tiny
        { Set-StratoDrive disk0 -VMName tiny -Iops 50 -ReadOnly -ErrorAction Stop } | Should -Throw -ErrorId 'VmRunning,*' -ExpectedMessage '*but for -Iops*'
        (Get-StratoDrive -VMName tiny).Iops | Should -Be 0
        Set-StratoDrive disk0 -VMName tiny -Iops 50
        (Get-StratoDrive -VMName tiny).Iops | Should -Be 50
    }
    It 'gets a disk while it runs, and loses it' {
        [System.IO.File]::WriteAllBytes("$folder/disk.img", [byte[]]::new(1MB))
        Start-StratoVm tiny
        Add-StratoDrive "$folder/disk.img" -VMName tiny -Serial S1
        (Get-StratoDrive -VMName tiny).Id | Should -Be 'disk0'
        (Invoke-StratoQmp query-block -VMName tiny).device | Should -Be 'disk0'
        { Add-StratoDrive "$folder/disk.img" -VMName tiny -ErrorAction Stop } | Should -Throw -ErrorId 'QmpGenericError,*' -ExpectedMessage "*file of this machine's drive 'disk0'*"
        (Get-StratoDrive -VMName tiny).Id | Should -Be 'disk0'

        # This guest has no driver: nobody looks.
        { Remove-StratoDrive disk0 -VMName tiny -Wait -Timeout 0 -ErrorAction Stop } | Should -Throw -ErrorId 'WaitTimeout,*'
        Get-StratoDrive -VMName tiny | Should -BeNullOrEmpty
        Invoke-StratoQmp query-block -VMName tiny | Should -BeNullOrEmpty
        Add-StratoDrive "$folder/disk.img" -VMName tiny -Id hot -Transient
        Get-StratoDrive -VMName tiny | Should -BeNullOrEmpty
        Remove-StratoDrive hot -VMName tiny -Transient
        { Remove-StratoDrive hot -VMName tiny -Transient -ErrorAction Stop } | Should -Throw -ErrorId 'QmpDeviceNotFound,*'
    }
    It 'is given what its machine is made of, and finds no path of it' {
        $files = 'own', 'initrd', 'written.img', 'read.img', 'thrown.img' | ForEach-Object { "$folder/$_" }
        Copy-Item "$folder/tiny" $files[0]
        $files[1..4] | ForEach-Object { [System.IO.File]::WriteAllBytes($_, [byte[]]::new(1MB)) }
        Set-StratoVm tiny -Kernel $files[0] -Initrd $files[1]
        Get-StratoVm tiny | Add-StratoDrive $files[2] -PassThru | Add-StratoDrive $files[3] -ReadOnly -PassThru | Add-StratoDrive $files[4] -Snapshot
        $engine = $env:STRATO_ENGINE
        # All are somewhere else before the engine's own first line.
        $null = New-Item -ItemType Directory "$folder/moved"
        Set-Content "$folder/mover" "#!/bin/sh`nmv $files $folder/moved && exec '$EnginePath' `"`$@`"" -NoNewline
        & /bin/chmod +x "$folder/mover"
        try {
            $env:STRATO_ENGINE = "$folder/mover"
            $null = Start-StratoVm tiny
        } finally { $env:STRATO_ENGINE = $engine }
        Test-Path $files | Should -Be (@($false) * 5)
        $null = Wait-StratoVm tiny -For Console -Match '^tiny guest$' -Timeout 20
        (Invoke-StratoQmp query-block -VMName tiny).inserted.file | Should -Be $files[2..4]
        Invoke-StratoQmp query-fdsets -VMName tiny | Should -BeNullOrEmpty
        $open = Get-ChildItem "/proc/$((Get-StratoVm tiny).ProcessId)/fd" | ForEach-Object Target
        # Once each.
        foreach ($file in $files) { @($open) -eq "$folder/moved/$(Split-Path -Leaf $file)" | Should -HaveCount 1 }
        # A reset reads the kernel again.
        (Restart-StratoVm tiny -Reset -PassThru).State | Should -Be 'Running'
        (Get-ChildItem "/proc/$PID/fd" | ForEach-Object Target) -like "$folder/moved/*" | Should -BeNullOrEmpty
    }
    It 'is shut in, and what comes later is passed to it' -Skip:((id -u) -ne 0) {
        (Get-StratoVm tiny).IsSandboxed | Should -BeNullOrEmpty
        Start-StratoVm tiny
        $vm = Get-StratoVm tiny
        if ((Get-StratoHost).Sandbox -eq 'none') {
            Set-ItResult -Skipped -Because (Get-StratoHost).SandboxReason
            return
        }
        $vm.IsSandboxed | Should -BeTrue
        (Get-Item "/proc/$($vm.ProcessId)/root").Target | Should -Match '/strato-empty-.* \(deleted\)$'
        Get-Content "/proc/$($vm.ProcessId)/status" | Should -Contain "CapEff:`t0000000000000000"
        $null = New-Item "$folder/hot.img" -ItemType File -Force
        [IO.File]::WriteAllBytes("$folder/hot.img", [byte[]]::new(1MB))
        Add-StratoDrive "$folder/hot.img" -VMName tiny
        (Invoke-StratoQmp query-block -VMName tiny).inserted.file | Should -Contain "$folder/hot.img"
        (Invoke-StratoQmp query-fdsets -VMName tiny) | Should -BeNullOrEmpty
        Remove-StratoDrive disk0 -VMName tiny
        # The engine has no $TMPDIR.
        Add-StratoDrive "$folder/hot.img" -VMName tiny -Snapshot
        (Invoke-StratoQmp query-block -VMName tiny).inserted.file | Should -Contain "$folder/hot.img"
        (Invoke-StratoQmp query-fdsets -VMName tiny) | Should -BeNullOrEmpty
        @(Get-ChildItem "/proc/$($vm.ProcessId)/fd" | ForEach-Object Target) -match '/strato-[0-9a-f]{32} \(deleted\)$' | Should -HaveCount 1
        (Get-ChildItem ([IO.Path]::GetTempPath())).Name -match '^strato-[0-9a-f]{32}$' | Should -BeNullOrEmpty
        Remove-StratoDrive disk0 -VMName tiny
        { Invoke-StratoQmp blockdev-add -VMName tiny -Arguments @{ 'node-name' = 'x'; file = @{ driver = 'file'; filename = "$folder/hot.img" } } -ErrorAction Stop } |
            Should -Throw -ErrorId 'QmpGenericError,*' -ExpectedMessage '*in a sandbox*'
        { Add-StratoNetworkAdapter nosuchtap0 -VMName tiny -ErrorAction Stop } | Should -Throw -ErrorId 'TapFailed,*' -ExpectedMessage "*no interface 'nosuchtap0'*"
        (Restart-StratoVm tiny -Reset -PassThru).State | Should -Be 'Running'
        Stop-StratoVm tiny -TurnOff
        if (Get-Command passt -ErrorAction Ignore) {
            # A slot is of the kind of the adapter that it had at the start.
            Add-StratoNetworkAdapter -VMName tiny -User
            Start-StratoVm tiny
            Remove-StratoNetworkAdapter net0 -VMName tiny
            Add-StratoNetworkAdapter -VMName tiny -User
            (Invoke-StratoQmp query-hotplug-slots -VMName tiny).netdev | Should -Contain net0
            Stop-StratoVm tiny -TurnOff
        }
        Set-StratoVm tiny -NoSandbox
        (Start-StratoVm tiny -PassThru).IsSandboxed | Should -BeFalse
        (Get-Item "/proc/$((Get-StratoVm tiny).ProcessId)/root").Target | Should -Be '/'
    }
    It 'has the iothreads that its devices name' {
        [System.IO.File]::WriteAllBytes("$folder/disk.img", [byte[]]::new(1MB))
        Get-StratoVm tiny | Add-StratoIoThread a-long-name-of-a-thread -PassThru | Add-StratoIoThread -PassThru | Add-StratoDrive "$folder/disk.img" -IoThread iothread0 -PassThru |
            Set-StratoIoThread iothread0 -NewId disks
        Get-StratoIoThread -VMName tiny | ForEach-Object { $null -eq $_.ThreadId } | Should -Be $true, $true
        $vm = Start-StratoVm tiny -PassThru
        $threads = Get-StratoVm | Get-StratoIoThread
        $threads.Id | Should -Be 'a-long-name-of-a-thread', 'disks'
        $threads.Devices | Should -Be '', 'disk0'
        $threads | ForEach-Object { Get-Content "/proc/$($vm.ProcessId)/task/$($_.ThreadId)/comm" } | Should -Be 'a-long-name-of-', 'disks'
        { Remove-StratoIoThread a* -VMName tiny -ErrorAction Stop } | Should -Throw -ErrorId 'VmRunning,*'
    }
    It 'has the console ports, random bytes and balloon that it was given' {
        Get-StratoVm tiny | Add-StratoConsolePort agent -PassThru | Add-StratoConsolePort -Terminal -PassThru | Add-StratoConsolePort out -Backend File -Path "$folder/out.txt" -PassThru |
            Add-StratoConsolePort tty -Backend Pty -PassThru | Add-StratoRng -MaxBytes 1KB -Period 1000 -PassThru | Add-StratoBalloon -DeflateOnOom -FreePageReporting
        Start-StratoVm tiny
        $ports = Get-StratoConsolePort -VMName tiny
        $ports.Id | Should -Be 'agent', 'hvc0', 'out', 'tty'
        $ports[3].Path | Should -BeLike '/dev/pts/*'
        foreach ($port in $ports) { Test-Path $port.Path | Should -BeTrue -Because $port.Id }
        (Get-StratoBalloon tiny).Actual | Should -Be 256MB
        # The tiny guest has no balloon driver.
        Set-StratoBalloon tiny -Target 128MB
        { Set-StratoBalloon tiny -Target 128MB -Wait -Timeout 1 -ErrorAction Stop } | Should -Throw -ErrorId 'WaitTimeout,*'
        $run = Split-Path $ports[0].Path
        & /bin/kill -KILL (Get-StratoVm tiny).ProcessId
        Wait-StratoVm tiny -For Stopped
        # A start removes the sockets that a killed engine left.
        Start-StratoVm tiny
        Stop-StratoVm tiny -TurnOff
        Test-Path $run | Should -BeFalse
        (Get-StratoBalloon tiny).Actual | Should -BeNullOrEmpty
        (Get-StratoConsolePort tty -VMName tiny).Path | Should -BeNullOrEmpty
    }
    It 'whose definition is damaged is shown and stopped by its <By>' -ForEach @(
        @{ By = 'name'; Json = '{ "name": "tiny", '; Name = 'tiny' }
        @{ By = 'id'; Json = ''; Name = $null }
    ) {
        $vm = Start-StratoVm tiny -PassThru
        Set-Content "$($vm.Path)/vm.json" $Json
        $Name ??= $vm.Id
        $shown = Get-StratoVm -ErrorVariable problems -ErrorAction SilentlyContinue
        $shown.Name, $shown.State, $shown.ProcessId | Should -Be $Name, 'Running', $vm.ProcessId
        Get-ErrorId $problems[0] | Should -Be 'VmDefinitionDamaged'
        $problems[0].ErrorDetails.RecommendedAction | Should -BeLike "*Stop-StratoVm $($vm.Id) -TurnOff*"
        if ($Name -eq $vm.Id) { { Stop-StratoVm tiny -TurnOff -ErrorAction Stop } | Should -Throw -ErrorId 'VmNotFound,*' }
        { Remove-StratoVm $Name -Force -ErrorAction Stop } | Should -Throw -ErrorId 'VmRunning,*'
        Stop-StratoVm $Name -TurnOff
        Test-Path "/proc/$($vm.ProcessId)" | Should -BeFalse
        Remove-StratoVm $Name -Force
    }
    It 'is waited for without a hurry, and Ctrl-C ends the wait at once' {
        Start-StratoVm tiny
        $other = [powershell]::Create().AddScript({ param($m) Import-Module $m; Wait-StratoVm tiny -Match 'never' }).AddArgument($ModulePath)
        $handle = $other.BeginInvoke()
        Wait-Until { $other.Streams.Progress.Count -gt 0 } -What 'progress of the wait'
        $took = Measure-Command { $other.Stop() }
        $took.TotalMilliseconds | Should -BeLessThan 1000
        $other.Dispose()
        { Wait-StratoVm tiny -Match 'never' -Timeout 1 -ErrorAction Stop } | Should -Throw -ErrorId 'WaitTimeout,*'
        $handle.IsCompleted | Should -BeTrue
        (Get-StratoVm tiny).State | Should -Be 'Running'
    }
    It 'that ends fails those who wait for it' {
        Start-StratoVm tiny
        $other = [powershell]::Create().AddScript({ param($m) Import-Module $m; Wait-StratoVm tiny -Match 'never' }).AddArgument($ModulePath)
        $handle = $other.BeginInvoke()
        Wait-Until { $other.Streams.Progress.Count -gt 0 } -What 'progress of the wait'
        Stop-StratoVm tiny -TurnOff
        Wait-Until { $handle.IsCompleted }
        Get-ErrorId $other.Streams.Error[0] | Should -Be 'VmEnded'
        $other.Dispose()
    }
    It 'tells what happens to it, to a stream and to a script block' {
        $told = [System.Collections.Concurrent.ConcurrentQueue[object]]::new()
        $job = Register-StratoEvent -VMName tiny -SourceIdentifier acts -MessageData $told -Action { $Event.MessageData.Enqueue($EventArgs) }
        $job | Should -BeOfType System.Management.Automation.PSEventJob
        { Register-StratoEvent tiny -SourceIdentifier acts -ErrorAction Stop } | Should -Throw -ErrorId 'SubscriberExists*'
        Start-StratoVm tiny
        # The watch is there when its runspace has begun to listen: what it misses before, the pause that is repeated brings.
        $other = [powershell]::Create().AddScript({ param($m) Import-Module $m; Watch-StratoEvent t* -Event STOP, ENDED | ForEach-Object { $_; if ($_.Name -eq 'ENDED') { break } } }).AddArgument($ModulePath)
        $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
        $handle = $other.BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(), $output)
        Wait-Until { Suspend-StratoVm tiny; Resume-StratoVm tiny; $output.Count -gt 0 } -What 'a pause that is watched'
        & /bin/kill -KILL (Get-StratoVm tiny).ProcessId
        Wait-Until { $handle.IsCompleted } -What 'the end of the watch'
        $output[-1].Name | Should -Be 'ENDED'
        $output[-1].VMName | Should -Be 'tiny'
        $output[-1].Data.reason | Should -Match 'unexpectedly'
        ($output[0] | ConvertTo-Json | ConvertFrom-Json).Name | Should -Be 'STOP'
        ($output[0] | Out-String) | Should -Match 'tiny +STOP'
        $other.Dispose()
        Wait-Until { $told.ToArray().Name -contains 'ENDED' } -What 'the end told to the script block'
        $told.ToArray()[0].Name | Should -Be 'STARTED'
        $told.ToArray().Name | Should -Contain 'RESUME'
        Unregister-Event acts
        Get-EventSubscriber | Should -BeNullOrEmpty
    }
    It 'is seen by several runspaces' {
        Start-StratoVm tiny
        1..4 | ForEach-Object -Parallel { Import-Module $using:ModulePath; (Get-StratoVm tiny).State } | Should -Be (@('Running') * 4)
    }
}

Describe 'Where KVM only emulates' -Tag Engine -Skip:($global:StratoTestHost.Kvm -ne 'emulated') {
    It 'a start fails at once with the reason and what to do' {
        $null = New-StratoVm tiny "$folder/tiny" -Memory 256MB
        $problem = try { Start-StratoVm tiny -AllowEmulation:$false -ErrorAction Stop } catch { $_ }
        Get-ErrorId $problem | Should -Be 'KvmEmulated'
        $problem.Exception.Message | Should -Match '-AllowEmulation'
        $problem.Exception.Message | Should -Not -Match '-force'
        (Get-StratoVm tiny).State | Should -Be 'Stopped'
        Remove-StratoVm tiny -Force
    }
    It 'the host says so' {
        $found = Get-StratoHost
        $found.Kvm | Should -Be 'emulated'
        $found.KvmMips | Should -BeGreaterThan 0
        $found.KvmRemedy | Should -Not -BeNullOrEmpty
    }
}
