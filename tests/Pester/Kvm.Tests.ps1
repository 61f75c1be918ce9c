. "$PSScriptRoot/common.ps1"
BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato
    # A virtual CPU of the virtual KVM host is slow: what takes a second on a real one may take twenty there.
    $limit = $global:StratoTestHost.InLab ? 600 : 60
    $prompt = '[#$] $'
    $PSDefaultParameterValues['Start-StratoVm:AllowEmulation'] = $global:StratoTestHost.InLab
}

Describe 'A Debian guest' -Tag Kvm -Skip:([bool]$NoGuest) {
    BeforeAll {
        $folder = New-TestState
        $null = New-StratoVm deb "$GuestFolder/vmlinuz" -Initrd "$GuestFolder/initrd.img" -CommandLine 'console=ttyS0 reboot=k panic=-1 quiet strato.autologin' -Memory 512MB -Cpu 2
        Add-StratoBalloon deb -PassThru | Add-StratoRng -PassThru | Add-StratoConsolePort out -Backend File -Path "$folder/out.txt"
        Start-StratoVm deb -PassThru | Wait-StratoVm -For Console -Match 'strato-guest: ready' -Timeout $limit
        Wait-StratoVm deb -Match $prompt -Timeout $limit
    }
    AfterAll {
        Get-StratoVm | Stop-StratoVm -TurnOff
        Remove-TestState $folder
    }

    It 'runs' {
        # On a busy machine an engine may answer too late for one look.
        Wait-Until { (Get-StratoVm deb).State -eq 'Running' } -Seconds $limit
        $vm = Get-StratoVm deb
        $vm.Uptime | Should -BeGreaterThan 0
        $vm.CpuUsage | Should -BeIn (0..100)
        $vm.MemoryResident | Should -BeGreaterThan 16MB
    }
    It 'has the virtual CPUs and the memory it was given' {
        Send-StratoConsole 'echo cpus=$(nproc)' -VMName deb -ExpectMatch '^cpus=2\b' -Timeout $limit
        Send-StratoConsole 'awk ''/MemTotal/ { print "kib=" ($2 > 400000) }'' /proc/meminfo' -VMName deb -ExpectMatch '^kib=1\b' -Timeout $limit
    }
    It 'gives memory back when it is asked to, and takes it again' {
        foreach ($target in 256MB, 512MB) {
            Get-StratoVm deb | Set-StratoBalloon -Target $target -Wait -Timeout $limit
            (Get-StratoBalloon deb).Actual | Should -Be $target
            (Get-StratoVm deb).MemoryAssigned | Should -Be $target
        }
    }
    It 'writes into a console port, and has the random bytes of the host' {
        Send-StratoConsole 'head -c 16 /dev/hwrng | od -An -tx1 >/dev/$(basename $(dirname $(grep -lx out /sys/class/virtio-ports/*/name)))' -VMName deb
        Wait-Until { (Get-Content "$folder/out.txt" -Raw) -match '^( [0-9a-f]{2}){16}' } -Seconds $limit
    }
    It 'has a disk that comes and goes, and is waited for' {
        [System.IO.File]::WriteAllBytes("$folder/hot.img", [byte[]]::new(1MB))
        Add-StratoDrive "$folder/hot.img" -VMName deb -Wait -Timeout $limit
        Send-StratoConsole 'until [ $(cat /sys/block/vda/size) = 2048 ]; do :; done; echo came=$?' -VMName deb -ExpectMatch '^came=0' -Timeout $limit
        Remove-StratoDrive disk0 -VMName deb -Wait -Timeout $limit
        Send-StratoConsole 'until [ $(cat /sys/block/vda/size) = 0 ]; do :; done; echo went=$?' -VMName deb -ExpectMatch '^went=0' -Timeout $limit
        Get-StratoDrive -VMName deb | Should -BeNullOrEmpty
    }
    It 'stands still while it is paused' {
        Suspend-StratoVm deb
        { Send-StratoConsole 'echo moving' -VMName deb -ExpectMatch '^moving' -Timeout 2 -ErrorAction Stop } | Should -Throw -ErrorId 'WaitTimeout,*'
        Resume-StratoVm deb
        Wait-StratoVm deb -Match '^moving' -Timeout $limit
    }
    It 'outlives a shell and is known to the next' {
        Invoke-Pwsh '(Get-StratoVm deb).State' | Should -Be 'Running'
    }
    It 'is reset' {
        $before = (Get-StratoConsole deb | Select-String 'strato-guest: ready').Count
        Restart-StratoVm deb -Reset -Force
        Wait-Until { (Get-StratoConsole deb | Select-String 'strato-guest: ready').Count -gt $before } -Seconds $limit
    }
    It 'powers down when it is asked to' {
        Stop-StratoVm deb -Timeout $limit
        $vm = Get-StratoVm deb
        $vm.State | Should -Be 'Stopped'
        $vm.StateReason | Should -BeNullOrEmpty
        # What init says of it may be lost: the end of the shell on the console throws away what isn't sent yet.
        Get-StratoConsole deb -Tail 40 | Out-String | Should -Match 'reboot: Power down'
    }
    It 'ends by itself, and the wait for that ends with it' {
        Set-StratoVm deb -CommandLine 'console=ttyS0 reboot=k panic=-1 quiet strato.then=poweroff'
        Start-StratoVm deb -PassThru | Wait-StratoVm -For Stopped -Timeout $limit -PassThru | ForEach-Object State | Should -Be 'Stopped'
    }
}

# Debian's qemu-guest-agent with Debian's libraries, without Debian's minutes of systemd on a software CPU.
Describe 'A guest with the QEMU guest agent' -Tag Kvm -Skip:([bool]$NoAgent) {
    BeforeAll {
        $folder = New-TestState
        New-StratoVm agent "$GuestFolder/vmlinuz" -Initrd "$GuestFolder/initrd.img" -CommandLine 'console=ttyS0 reboot=k panic=-1 quiet strato.autologin' -Memory 512MB -GuestAgent |
            Add-StratoDrive "$GuestFolder/debian.ext4" -ReadOnly
        Start-StratoVm agent -PassThru | Wait-StratoVm -For Console -Match 'strato-guest: ready' -Timeout $limit
        Wait-StratoVm agent -Match $prompt -Timeout $limit
        function Send-Line([string] $Line) { Send-StratoConsole "$Line; echo did=`$?" -VMName agent -ExpectMatch '^did=0' -Timeout $limit }
        function Start-Agent {
            Send-Line 'p=$(basename $(dirname $(grep -lx org.qemu.guest_agent.0 /sys/class/virtio-ports/*/name)))'
            Send-Line 'chroot /debian qemu-ga -m virtio-serial -p /dev/$p -t /run -f /run/qga.pid -d'
        }
        Send-Line 'modprobe ext4; mkdir -p /debian; mount -t ext4 -o ro,noload /dev/vda /debian'
        Send-Line 'for d in tmp run; do mount -t tmpfs none /debian/$d; done; for d in dev proc sys; do mount --bind /$d /debian/$d; done'
    }
    AfterAll {
        Get-StratoVm | Stop-StratoVm -TurnOff
        Remove-TestState $folder
    }

    It 'is told of while there is no agent' {
        (Get-StratoVm agent).GuestAgent | Should -BeTrue
        $problem = try { Wait-StratoVm agent -For GuestAgent -Timeout 1 -ErrorAction Stop } catch { $_ }
        Get-ErrorId $problem | Should -Be 'WaitTimeout'
        $problem = try { Invoke-StratoGuestCommand true -VMName agent -Timeout 1 -ErrorAction Stop } catch { $_ }
        Get-ErrorId $problem | Should -Be 'GuestAgentTimeout'
        "$problem" | Should -Match 'nothing in the guest has its port open'
        $problem.ErrorDetails.RecommendedAction | Should -Match 'qemu-guest-agent'
    }
    It 'is waited for' {
        $wait = Start-ThreadJob { Import-Module $using:ModulePath; Wait-StratoVm agent -For GuestAgent -Timeout $using:limit -PassThru }
        Start-Agent
        ($wait | Receive-Job -Wait -AutoRemoveJob).Name | Should -Be 'agent'
    }
    It 'runs commands' {
        $result = Invoke-StratoGuestCommand 'cat; echo $A; echo bad >&2; exit 3' -InputText "typed`n" -Environment @{ A = 'b c' } -VMName agent
        $result.PSTypeNames[0] | Should -Be 'Strato.GuestCommandResult'
        $result.ExitCode | Should -Be 3
        $result.StandardOutput | Should -BeExactly "typed`nb c`n"
        $result.StandardError | Should -BeExactly "bad`n"
        (Get-StratoVm agent | Invoke-StratoGuestCommand -FilePath printf -ArgumentList '%s|', 'a b', '$x').StandardOutput | Should -BeExactly 'a b|$x|'
        (Invoke-StratoGuestCommand 'kill -9 $$' -VMName agent).Signal | Should -Be 9
        (Invoke-StratoGuestCommand 'head -c 1000000 /dev/zero' -VMName agent).GetOutputBytes().Length | Should -Be 1000000
        { Invoke-StratoGuestCommand -FilePath /no/such -VMName agent -ErrorAction Stop } | Should -Throw -ErrorId 'GuestCommandNotStarted,*'
    }
    It 'ends commands that take too long' {
        { Invoke-StratoGuestCommand 'echo $$ >/tmp/long; exec sleep 600' -VMName agent -Timeout 5 -ErrorAction Stop } | Should -Throw -ErrorId 'GuestCommandTimeout,*'
        (Invoke-StratoGuestCommand 'while kill -0 $(cat /tmp/long); do sleep 0.1; done' -VMName agent -Timeout $limit).ExitCode | Should -Be 0
    }
    It 'ends commands at Ctrl-C, and goes on' {
        $shell = [powershell]::Create().AddScript('Import-Module $args[0]; Invoke-StratoGuestCommand ''echo $$ >/tmp/stop; exec sleep 600'' -VMName agent').AddArgument($ModulePath)
        $run = $shell.BeginInvoke()
        (Invoke-StratoGuestCommand 'until [ -s /tmp/stop ]; do sleep 0.1; done' -VMName agent -Timeout $limit).ExitCode | Should -Be 0
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $shell.Stop()
        $watch.Elapsed.TotalSeconds | Should -BeLessThan ($global:StratoTestHost.InLab ? 5 : 0.5)
        (Invoke-StratoGuestCommand 'while kill -0 $(cat /tmp/stop); do sleep 0.1; done' -VMName agent -Timeout $limit).ExitCode | Should -Be 0
        $run.IsCompleted | Should -BeTrue
    }
    It 'takes files and gives them' {
        $bytes = [byte[]]::new(300001); [System.Random]::new(1).NextBytes($bytes)
        [System.IO.File]::WriteAllBytes("$folder/sent", $bytes)
        Copy-StratoGuestFile "$folder/sent" /tmp/ -ToGuest -Mode 0751 -VMName agent
        (Invoke-StratoGuestCommand 'stat -c %a:%s /tmp/sent; ls /tmp | grep -c strato-' -VMName agent).StandardOutput | Should -BeExactly "751:300001`n0`n"
        Copy-StratoGuestFile /tmp/sent "$folder/back" -FromGuest -VMName agent
        (Get-FileHash "$folder/back").Hash | Should -Be (Get-FileHash "$folder/sent").Hash
        { Copy-StratoGuestFile "$folder/sent" /tmp/sent -ToGuest -VMName agent -ErrorAction Stop } | Should -Throw -ErrorId 'GuestFileExists,*'
        { Copy-StratoGuestFile "$folder/sent" /usr/sent -ToGuest -VMName agent -ErrorAction Stop } | Should -Throw -ErrorId 'GuestFile*'
        { Copy-StratoGuestFile /tmp/none "$folder/none" -FromGuest -VMName agent -ErrorAction Stop } | Should -Throw -ErrorId 'GuestFileNotFound,*'
        Copy-StratoGuestFile "$folder/vmlinuz" /tmp/sent -ToGuest -Force -VMName agent -PassThru | Invoke-StratoGuestCommand 'wc -c </tmp/sent' |
            ForEach-Object StandardOutput | Should -Be "512`n"
    }
    It 'tells what it is, and of its address as soon as it has one' {
        { Wait-StratoVm agent -For IPAddress -Timeout 1 -ErrorAction Stop } | Should -Throw -ErrorId 'WaitTimeout,*'
        Send-Line 'ip addr add 10.9.8.7/24 dev lo; ip link set lo up'
        $info = Get-StratoVm agent | Wait-StratoVm -For IPAddress -Timeout $limit -PassThru | Get-StratoGuestInfo -Timeout $limit
        $info.Os | Should -Match '^Debian GNU/Linux 12'
        $info.KernelRelease | Should -Match '-cloud-amd64$'
        $info.HostName | Should -Not -BeNullOrEmpty
        $info.Addresses | Should -Be '10.9.8.7'
        $info.NetworkInterfaces.Name | Should -Contain 'lo'
        $info.AgentVersion | Should -Match '^\d+\.'
        $info | Format-List | Out-String | Should -Match 'KernelRelease'
        ($info | ConvertTo-Json -Depth 4 | ConvertFrom-Json).Addresses | Should -Be '10.9.8.7'
    }
    It 'says which command its agent was told not to do' {
        Send-Line 'kill $(cat /debian/run/qga.pid); while [ -e /debian/run/qga.pid ]; do sleep 0.1; done; chroot /debian qemu-ga -m virtio-serial -p /dev/$p -t /run -f /run/qga.pid -b guest-exec -d'
        Wait-StratoVm agent -For GuestAgent -Timeout $limit
        { Invoke-StratoGuestCommand true -VMName agent -ErrorAction Stop } | Should -Throw -ErrorId 'GuestCommandUnavailable,*'
        Copy-StratoGuestFile "$folder/vmlinuz" /tmp/direct -ToGuest -VMName agent
        Copy-StratoGuestFile /tmp/direct "$folder/direct" -FromGuest -VMName agent
        (Get-Item "$folder/direct").Length | Should -Be 512
    }
    It 'ends, and waits for its agent end with it' {
        Send-Line 'kill $(cat /debian/run/qga.pid); while [ -e /debian/run/qga.pid ]; do sleep 0.1; done'
        $wait = Start-ThreadJob { Import-Module $using:ModulePath; try { Wait-StratoVm agent -For GuestAgent -ErrorAction Stop } catch { $_.FullyQualifiedErrorId } }
        Stop-StratoVm agent -TurnOff
        $wait | Receive-Job -Wait -AutoRemoveJob | Should -Match '^Vm(Ended|NotRunning),'
    }
}

Describe 'Disks where blocks can be shared' -Tag Kvm -Skip:(-not $env:STRATO_SCRATCH -or -not (Test-Path "$env:STRATO_SCRATCH/xfs")) {
    BeforeAll {
        $folder = New-TestState
        $disks = (New-Item -ItemType Directory "$env:STRATO_SCRATCH/xfs/disks-$PID").FullName
    }
    AfterAll {
        Remove-Item -Recurse -Force $disks
        Remove-TestState $folder
    }

    It 'are copied without taking room, and have nothing to do with each other' {
        & dd if=/dev/urandom of=$disks/web.img bs=1M count=64 status=none conv=fsync
        $null = New-StratoVm web "$folder/vmlinuz"
        Add-StratoDrive "$disks/web.img" -VMName web
        $free = [long](stat -f -c '%f * %S' $disks | Invoke-Expression)
        $copy = Copy-StratoVm web web2 -CopyDisk
        & sync -f $disks
        $free - [long](stat -f -c '%f * %S' $disks | Invoke-Expression) | Should -BeLessThan 8MB
        (Get-FileHash $copy.Drives[0].Path).Hash | Should -Be (Get-FileHash "$disks/web.img").Hash
        & dd if=/dev/zero of=$disks/web2-disk0.img bs=1M count=1 conv=notrunc status=none
        (Get-FileHash $copy.Drives[0].Path).Hash | Should -Not -Be (Get-FileHash "$disks/web.img").Hash
        Get-ChildItem $disks -Force | Should -HaveCount 2
    }
}
