. "$PSScriptRoot/common.ps1"
BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato
    $limit = $global:StratoTestHost.InLab ? 600 : 60
    $PSDefaultParameterValues['Start-StratoVm:AllowEmulation'] = $true
}

Describe 'Measuring a tiny guest' -Tag Engine -Skip:([bool]$NoEngine) {
    BeforeAll {
        $folder = New-TestState
        New-TinyKernel "$folder/tiny"
        $null = New-StratoDisk "$folder/tiny.img" 1MB
        $null = New-StratoVm tiny "$folder/tiny" -Memory 256MB | Add-StratoDrive "$folder/tiny.img" -PassThru | Start-StratoVm -PassThru
        $null = New-StratoVm idle "$folder/tiny" -Memory 256MB
        # KVM's own statistics: Linux 5.14.
        $counts = @(Invoke-StratoQmp query-stats -VMName tiny -Arguments @{ target = 'vm' }).Count -gt 0
    }
    AfterAll {
        Get-StratoVm | Stop-StratoVm -TurnOff
        Remove-TestState $folder
    }

    It 'emits plain numbers, one object an interval' {
        $measured = @(Measure-StratoVm -Count 2)
        $measured.VMName | Should -Be 'tiny', 'tiny'
        foreach ($one in $measured) {
            $one | Should -BeOfType Strato.Measurement
            $one.Interval | Should -BeGreaterThan 0.5
            # It polls its serial port without end.
            $one.CpuUsage | Should -BeGreaterThan 0
            if ($counts) { $one.Exits | Should -BeGreaterThan 0 } else { $one.Exits | Should -BeNullOrEmpty }
            $one.Drives.Id | Should -Be 'disk0'
            $one.DiskReadBytes | Should -Be 0
            $one.MemoryAssigned | Should -Be 256MB
            $one.MemoryDemand | Should -BeGreaterThan 100KB
            $one.MemoryDemand | Should -BeLessOrEqual $one.MemoryResident
        }
        $json = $measured[0] | ConvertTo-Json -Depth 3 | ConvertFrom-Json
        $json.CpuUsage | Should -Be $measured[0].CpuUsage
        $json.Drives[0].Reads | Should -Be 0
        $measured | Out-String | Should -Match 'VMName +CPU\(%\) +Memory +Read/s'
    }
    It 'says which VM does not run, and goes on with the others' {
        $failures = @()
        $measured = Measure-StratoVm idle, tiny -Count 1 -ErrorAction SilentlyContinue -ErrorVariable failures
        $measured.VMName | Should -Be 'tiny'
        Get-ErrorId $failures[0] | Should -Be 'VmNotRunning'
        Measure-StratoVm idl* | Should -BeNullOrEmpty
    }
    It 'ends when its time is over, on Ctrl-C, and with the VM' {
        Measure-StratoVm tiny -Interval 60 -Timeout 1 | Should -BeNullOrEmpty
        $shell = [powershell]::Create().AddScript({ param($m) Import-Module $m; Measure-StratoVm tiny -Interval 60 }).AddArgument($ModulePath)
        $handle = $shell.BeginInvoke()
        $socket = (Get-StratoVm tiny).QmpPath
        Wait-Until { (Select-String -Path /proc/net/unix -SimpleMatch " $socket").Count -gt 1 } -What 'the connection'
        $clock = [System.Diagnostics.Stopwatch]::StartNew()
        $shell.Stop()
        $clock.ElapsedMilliseconds | Should -BeLessThan 1000
        $shell.Dispose()

        Start-StratoVm idle
        $shell = [powershell]::Create().AddScript({ param($m) Import-Module $m; Measure-StratoVm idle -Interval 60 }).AddArgument($ModulePath)
        $handle = $shell.BeginInvoke()
        $socket = (Get-StratoVm idle).QmpPath
        Wait-Until { (Select-String -Path /proc/net/unix -SimpleMatch " $socket").Count -gt 1 } -What 'the connection'
        Stop-StratoVm idle -TurnOff
        Wait-Until { $handle.IsCompleted } -What 'the end of the measurement'
        $shell.Dispose()
    }
    It 'a VM from Export-Clixml has the numbers of its moment, and Refresh() those of now' {
        Get-StratoVm tiny | Export-Clixml "$folder/tiny.xml"
        $old = Import-Clixml "$folder/tiny.xml"
        $old.MemoryAssigned | Should -Be 256MB
        $old.Uptime | Should -BeOfType double
        $was = $old.Time, $old.Uptime
        $old.Refresh()
        $old.Time | Should -BeGreaterThan $was[0]
        $old.Uptime | Should -BeGreaterThan $was[1]
        $old.State | Should -Be 'Running'
    }
}

Describe 'Looking into a tiny guest' -Tag Engine -Skip:([bool]$NoEngine) {
    BeforeAll {
        $folder = New-TestState
        New-TinyKernel "$folder/tiny"
        $null = New-StratoVm tiny "$folder/tiny" -Memory 256MB -Cpu 2 | Start-StratoVm -PassThru | Wait-StratoVm -For Console -Match 'tiny guest'
        # At 16 MiB of guest memory stands what follows the ELF file's first page.
        $code = [System.IO.File]::ReadAllBytes("$folder/tiny")[0x1000..0x101f]
    }
    AfterAll {
        Get-StratoVm | Stop-StratoVm -TurnOff
        Remove-TestState $folder
    }

    It 'shows the registers of each virtual CPU, and the guest goes on' {
        $cpus = Debug-StratoVm tiny -Register
        $cpus.Index | Should -Be 0, 1
        $cpus[0] | Should -BeOfType Strato.CpuRegister
        $cpus[0].Mode | Should -Be 'long'
        $cpus[0].Rip | Should -BeGreaterOrEqual 0x1000000
        $cpus[0].Rip | Should -BeLessThan 0x1001000
        $cpus[1].Mode | Should -Be 'real'
        ($cpus[0] | ConvertTo-Json | ConvertFrom-Json).Rip | Should -Be $cpus[0].Rip
        $cpus | Out-String | Should -Match 'long +0 0000000001000'
        (Get-StratoVm tiny).State | Should -Be 'Running'
        Send-StratoConsole 'still here' -VMName tiny -ExpectMatch 'still here' -Timeout 30
    }
    It 'writes its memory into a core file, and the guest goes on' {
        Debug-StratoVm tiny -DumpPath "$folder/tiny.core" | Should -BeNullOrEmpty
        (Get-Item "$folder/tiny.core").UnixMode | Should -Be '-rw-------'
        if (Get-Command readelf -ErrorAction Ignore) {
            $text = readelf -hln "$folder/tiny.core" 2>&1 | Out-String
            $text | Should -Match 'CORE \(Core file\)'
            [regex]::Matches($text, 'NT_PRSTATUS').Count | Should -Be 2
            $text | Should -Not -Match 'Warning'
        }
        # The second program header is that of the memory from 0 on.
        $file = [System.IO.File]::OpenRead("$folder/tiny.core")
        $reader = [System.IO.BinaryReader]::new($file)
        $file.Position = 64 + 56 + 8
        $file.Position = $reader.ReadUInt64() + 0x1000000
        $reader.ReadBytes($code.Length) | Should -Be $code
        $reader.Dispose()
        Send-StratoConsole 'and again' -VMName tiny -ExpectMatch 'and again' -Timeout 30

        { Debug-StratoVm tiny -DumpPath "$folder/tiny.core" -ErrorAction Stop } | Should -Throw -ErrorId 'FileExists,*'
        Suspend-StratoVm tiny
        Push-Location $folder
        Debug-StratoVm tiny -DumpPath ./tiny.core -Force
        Pop-Location
        (Get-StratoVm tiny).State | Should -Be 'Paused'
        Resume-StratoVm tiny
        Get-ChildItem $folder -Force -Filter '.*' | Should -BeNullOrEmpty
    }
    It 'leaves nothing on a file system that is full' -Skip:((id -u) -ne 0) {
        $null = New-Item -ItemType Directory "$folder/full"
        mount -t tmpfs -o size=16k none "$folder/full" 2>$null
        if ($LASTEXITCODE) { Set-ItResult -Skipped -Because 'no file system can be mounted here'; return }
        try {
            { Debug-StratoVm tiny -DumpPath "$folder/full/tiny.core" -ErrorAction Stop } | Should -Throw -ErrorId 'DumpFailed,*' -ExpectedMessage '*No space left on device*'
            Get-ChildItem "$folder/full" -Force | Should -BeNullOrEmpty
        } finally { umount "$folder/full" }
        (Get-StratoVm tiny).State | Should -Be 'Running'
    }
    It 'asks before it does what the guest feels' {
        Debug-StratoVm tiny -Nmi -WhatIf
        Debug-StratoVm tiny -DumpPath "$folder/other.core" -WhatIf
        Test-Path "$folder/other.core" | Should -BeFalse
        { Debug-StratoVm tiny -ErrorAction Stop } | Should -Throw -ErrorId 'ActionMissing,*'
    }
}

Describe 'Measuring a Debian guest' -Tag Kvm -Skip:([bool]$NoGuest) {
    BeforeAll {
        $folder = New-TestState
        $taps = @('stmea0', 'stmea1' | Where-Object { ip tuntap add $_ mode tap 2>$null; ip link set $_ up 2>$null; Test-Path "/sys/class/net/$_" })
        $null = New-StratoDisk "$folder/data.img" 64MB
        $null = New-StratoVm mea "$GuestFolder/vmlinuz" -Initrd "$GuestFolder/initrd.img" -CommandLine 'console=ttyS0 reboot=k panic=-1 quiet strato.autologin' -Memory 512MB |
            Add-StratoDrive "$folder/data.img" -PassThru | Add-StratoBalloon -PassThru
        if ($taps) {
            Add-StratoNetworkAdapter -VMName mea -TapName stmea0
            Add-StratoNetworkAdapter -VMName mea -TapName stmea1 -Vhost:(Test-Path /dev/vhost-net)
        }
        Start-StratoVm mea -PassThru | Wait-StratoVm -For Console -Match 'strato-guest: ready' -Timeout $limit
        Wait-StratoVm mea -Match '[#$] $' -Timeout $limit
    }
    AfterAll {
        Get-StratoVm | Stop-StratoVm -TurnOff
        $taps | ForEach-Object { ip link delete $_ }
        Remove-TestState $folder
    }

    It 'tells what its disk does while it runs dd' {
        Send-StratoConsole 'while :; do dd if=/dev/zero of=/dev/vda bs=64k count=64 conv=fsync; echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vda of=/dev/null bs=64k count=64; done >/dev/null 2>&1 & echo go=$!' -VMName mea -ExpectMatch '^go=\d' -Timeout $limit
        $busy = Measure-StratoVm mea -Interval 5 -Count 12 | Where-Object { $_.DiskReadBytes -and $_.DiskWriteBytes -and $_.State -eq 'Running' } | Select-Object -First 1
        $busy.DiskReadBytes | Should -BeGreaterThan 0
        $busy.DiskWriteBytes | Should -BeGreaterThan 0
        $busy.Drives[0].Flushes | Should -BeGreaterThan 0
        $busy.Drives[0].ReadLatency | Should -BeGreaterThan 0
        $busy.Exits | Should -BeGreaterThan 0
        Send-StratoConsole 'kill %1; wait; echo quiet=$?' -VMName mea -ExpectMatch '^quiet=' -Timeout $limit
        $all = (Invoke-StratoQmp query-blockstats -VMName mea).stats
        $all.rd_bytes, $all.wr_bytes | ForEach-Object { $_ % 512 | Should -Be 0 }
    }
    It 'tells what its guest uses of its memory' {
        Wait-Until { $vm = Get-StratoVm mea; $vm.State -eq 'Running' -and $vm.MemoryDemand -lt $vm.MemoryResident -and $vm.MemoryDemand -gt 8MB } -Seconds $limit -What 'figures of the guest'
        Send-StratoConsole 'awk ''/MemTotal/ { t = $2 } /MemAvailable/ { print "used=" (t - $2) }'' /proc/meminfo' -VMName mea -ExpectMatch '^used=\d+' -Timeout $limit
        $used = 1KB * [long](Get-StratoConsole mea -Tail 5 | Select-String '^used=(\d+)').Matches[-1].Groups[1].Value
        [Math]::Abs((Get-StratoVm mea).MemoryDemand - $used) | Should -BeLessThan 32MB
    }
    It 'tells what goes through its network adapters, by the engine and by vhost' -Skip:((id -u) -ne 0) {
        $taps | Should -HaveCount 2
        Send-StratoConsole 'for i in 0 1; do ip link set eth$i up; ip addr add 10.77.$i.2/24 dev eth$i; done; echo up=$?' -VMName mea -ExpectMatch '^up=0' -Timeout $limit
        foreach ($i in 0, 1) {
            ip addr add "10.77.$i.1/24" dev "stmea$i"
            $before = (Invoke-StratoQmp query-netstats -VMName mea)[$i]
            Send-StratoConsole "ping -s 1000 10.77.$i.1 >/dev/null & echo pings=`$!" -VMName mea -ExpectMatch '^pings=\d' -Timeout $limit
            $moved = Measure-StratoVm mea -Interval 3 -Count 10 | Where-Object { $_.NetworkAdapters[$i].ReceiveBytes -gt 100 -and $_.NetworkAdapters[$i].SendBytes -gt 100 } | Select-Object -First 1
            $moved.NetworkAdapters[$i].ReceivePackets | Should -BeGreaterThan 0
            $moved.NetworkReceiveBytes | Should -BeGreaterOrEqual $moved.NetworkAdapters[$i].ReceiveBytes
            $before.ifname | Should -Be "stmea$i"
            # Frames that vhost moves are the kernel's to count.
            [bool]$before.PSObject.Properties['stats'] | Should -Be ($i -eq 0 -or -not (Test-Path /dev/vhost-net))
            Send-StratoConsole 'kill $!; echo still=$?' -VMName mea -ExpectMatch '^still=0' -Timeout $limit
        }
    }
    It 'shows an NMI, its registers, and a dump that has its kernel' {
        $cpu = Debug-StratoVm mea -Register
        $cpu.Mode | Should -Be 'long'
        $cpu.IdtBase | Should -BeGreaterThan 0xffff800000000000
        Debug-StratoVm mea -Nmi
        Wait-StratoVm mea -For Console -Match 'Uhhuh. NMI received for unknown reason' -Timeout $limit
        Debug-StratoVm mea -DumpPath "$folder/mea.core"
        $text = readelf -ln "$folder/mea.core" 2>&1 | Out-String
        $text | Should -Match 'NT_PRSTATUS'
        $text | Should -Match '(?m)^ +QEMU '
        grep -c -a 'Linux version 6' "$folder/mea.core" | Should -BeGreaterThan 0
        # It took less of the disk than the guest has of memory.
        [long](stat -c %b "$folder/mea.core") * 512 | Should -BeLessThan 512MB
        Send-StratoConsole 'echo alive=$?' -VMName mea -ExpectMatch '^alive=0' -Timeout $limit
    }
}
