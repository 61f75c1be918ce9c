<#
.SYNOPSIS
Boots a Debian guest through the cmdlets and shows its life.
.PARAMETER Guest
The folder of the guest image that ./build.sh guest makes.
.PARAMETER Interactive
Ends inside the guest's shell (Ctrl-] leaves).
#>
param([string] $Guest = "$PSScriptRoot/../out/guest", [switch] $Interactive)
$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/../out/Strato/Strato.psd1"

# A step is shown as a person would type it, then run.
function Step([scriptblock] $Command) {
    "PS> $("$Command".Trim())"
    . $Command | Out-String -Width 110 | ForEach-Object TrimEnd
    ''
}

$Guest = (Resolve-Path $Guest).Path
$folder = (New-Item -ItemType Directory (Join-Path ([IO.Path]::GetTempPath()) "sd$PID")).FullName
$env:STRATO_STATE = "$folder/state"
$env:STRATO_RUNTIME = "$folder/run"
$disk = "$folder/disk.ext4"
cp --sparse=always "$Guest/rootfs.ext4" $disk
Set-Location $Guest
# A busy machine's virtual KVM host is slow, and its guests are wanted all the same.
$PSDefaultParameterValues['Start-StratoVm:AllowEmulation'] = $env:STRATO_IN_LAB -eq 'virtual'
try {
    Step { Get-StratoHost }
    Step { New-StratoVm demo -Kernel vmlinuz -Initrd initrd.img -Memory 512MB -CommandLine 'console=ttyS0 root=/dev/vda rw' }
    Step { Add-StratoDrive $disk -VMName demo }
    Step { Start-StratoVm demo -PassThru | Wait-StratoVm -For Console -Match 'login:' -Timeout 300 -PassThru }
    Step { Send-StratoConsole root -VMName demo -ExpectMatch '# ' -Timeout 60 }
    Step { Send-StratoConsole 'uname -sr; head -n 1 /proc/meminfo' -VMName demo -ExpectMatch 'MemTotal.*' -Timeout 60 }
    Step { Suspend-StratoVm demo -PassThru }
    Step { Resume-StratoVm demo -PassThru }
    if (Get-Command qemu-system-x86_64 -ErrorAction Ignore) {
        'One boot of Strato''s engine, and one of QEMU''s microvm with the same kernel, initrd and memory:'
        & "$PSScriptRoot/../bench/run" table
        ''
    }
    if ($Interactive) {
        'Now the guest''s shell is yours. Ctrl-] leaves it.'
        Enter-StratoConsole demo
    }
    Step { Stop-StratoVm demo -TurnOffAfter 60 -PassThru }
}
finally {
    Get-StratoVm demo* | Where-Object Name -EQ demo | ForEach-Object {
        if ($_.State -ne 'Stopped') { Stop-StratoVm $_ -TurnOff -Force }
        Remove-StratoVm $_ -Confirm:$false
    }
    Remove-Item -Recurse -Force $folder
}
