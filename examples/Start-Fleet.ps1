<#
.SYNOPSIS
Makes and starts many like VMs, and tells which of them are up.
.DESCRIPTION
VMs that exist are started as they are; so a second run repairs what the first one couldn't. Emits one object a VM.
.PARAMETER Count
How many; their names are PREFIX1, PREFIX2 and so on.
.PARAMETER Image
A root disk that all share; what a guest writes is thrown away when it stops.
.PARAMETER Ready
What the guest prints on its console when it is up (a regular expression).
.EXAMPLE
./Start-Fleet.ps1 -Count 20 -Kernel ./vmlinuz -Initrd ./initrd.img -Image ./root.ext4 -CommandLine 'console=ttyS0 root=/dev/vda rw'
#>
#Requires -Version 7.4
#Requires -Modules Strato
[CmdletBinding()]
param(
    [ValidateRange(1, 1000)] [int] $Count = 3,
    [string] $Prefix = 'node',
    [Parameter(Mandatory)] [string] $Kernel,
    [string] $Initrd,
    [string] $CommandLine,
    [string] $Image,
    [long] $Memory = 512MB,
    [int] $Cpu = 1,
    [string] $Ready = 'login:',
    [int] $ThrottleLimit = 8,
    [int] $Timeout = 120
)
$options = @{ Kernel = $Kernel; Memory = $Memory; Cpu = $Cpu }
if ($Initrd) { $options.Initrd = $Initrd }
if ($CommandLine) { $options.CommandLine = $CommandLine }

$names = 1..$Count | ForEach-Object { "$Prefix$_" }
$known = (Get-StratoVm -Name "$Prefix*").Name
$names | Where-Object { $_ -notin $known } | ForEach-Object {
    $vm = New-StratoVm $_ @options
    if ($Image) { $vm | Add-StratoDrive $Image -Snapshot }
}

# Errors of single VMs are told and don't keep the others from starting.
Get-StratoVm $names | Where-Object State -EQ Stopped | Start-StratoVm -ThrottleLimit $ThrottleLimit
$up = (Get-StratoVm $names | Where-Object State -EQ Running | Wait-StratoVm -For Console -Match $Ready -Timeout $Timeout -PassThru).Name

Get-StratoVm $names | Select-Object Name, State, @{ n = 'Ready'; e = { $_.Name -in $up } }, Uptime, MemoryResident
