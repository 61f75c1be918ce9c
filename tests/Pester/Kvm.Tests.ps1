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
