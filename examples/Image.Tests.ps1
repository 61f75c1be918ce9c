<#
.SYNOPSIS
Accepts a Debian image, or says what is wrong with it.
.DESCRIPTION
Boots the image in a VM that throws away what the guest writes and is removed when it stops, and looks into it by the guest agent.
.EXAMPLE
Invoke-Pester -Container (New-PesterContainer -Path ./Image.Tests.ps1 -Data @{ Kernel = './vmlinuz'; Initrd = './initrd.img'; Image = './debian.ext4' })
#>
#Requires -Version 7.4
#Requires -Modules Strato, @{ ModuleName = 'Pester'; ModuleVersion = '5.0' }
param(
    [Parameter(Mandatory)] [string] $Kernel,
    [Parameter(Mandatory)] [string] $Image,
    [string] $Initrd,
    [string] $CommandLine = 'console=ttyS0 root=/dev/vda rw',
    [long] $Memory = 1GB,
    [int] $Timeout = 120
)

Describe 'The image' {
    BeforeAll {
        $vm = New-StratoVm "image-$PID" -Ephemeral -GuestAgent -Kernel $Kernel -Initrd $Initrd -CommandLine $CommandLine -Memory $Memory |
            Add-StratoDrive $Image -PassThru | Add-StratoRng -PassThru | Start-StratoVm -PassThru
        function Invoke-Guest([string] $Command) { $vm | Invoke-StratoGuestCommand $Command -Timeout $Timeout }
    }
    AfterAll { if ($vm) { Get-StratoVm -Id $vm.Id -ErrorAction Ignore | Stop-StratoVm -TurnOff -Force } }

    It 'boots, and its guest agent answers' {
        $vm | Wait-StratoVm -For GuestAgent -Timeout $Timeout
    }
    It 'is Debian' {
        ($vm | Get-StratoGuestInfo -Timeout $Timeout).Os | Should -BeLike 'Debian*'
    }
    It 'starts all of its services' {
        $state = Invoke-Guest 'systemctl is-system-running --wait; systemctl list-units --failed --plain --no-legend'
        $state.StandardOutput | Should -BeLike 'running*'
    }
    It 'offers a log-in on the serial console' {
        $vm | Wait-StratoVm -For Console -Match 'login:' -Timeout $Timeout
    }
    It 'has written no error of the kernel to its console' {
        $vm | Get-StratoConsole | Where-Object { $_ -match 'Kernel panic|\bBUG:|Oops|I/O error|EXT4-fs error' } | Should -BeNullOrEmpty
    }
    It 'has room on its root file system' {
        (Invoke-Guest 'df --output=pcent / | tail -n 1 | tr -dc 0-9').StandardOutput | ForEach-Object { [int]$_ } | Should -BeLessThan 90
    }
    It 'knows what time it is' {
        $there = (Invoke-Guest 'date +%s').StandardOutput.Trim()
        [math]::Abs([datetimeoffset]::UtcNow.ToUnixTimeSeconds() - $there) | Should -BeLessThan 60
    }
    It 'has no account with an empty password but root, who logs in on the console' {
        (Invoke-Guest "awk -F: '`$2 == """" && `$1 != ""root"" { print `$1 }' /etc/shadow").StandardOutput | Should -BeNullOrEmpty
    }
    It 'powers off when it is asked to' {
        $vm | Stop-StratoVm -Timeout $Timeout
        Get-StratoVm -Id $vm.Id -ErrorAction Ignore | Should -BeNullOrEmpty
    }
}
