<#
.SYNOPSIS
What runs on this host, for a page, a sheet or another program.
.DESCRIPTION
Emits one object a VM, with its disks and addresses as text; with -As it is a text of that form. Guests are asked for their addresses where their agent answers within
-AgentTimeout seconds.
.EXAMPLE
./Get-FleetReport.ps1 | Format-Table
.EXAMPLE
./Get-FleetReport.ps1 -As Html > /srv/www/vms.html
#>
#Requires -Version 7.4
#Requires -Modules Strato
[CmdletBinding()]
param(
    [Parameter(Position = 0)] [SupportsWildcards()] [string[]] $Name = '*',
    [ValidateSet('Object', 'Csv', 'Json', 'Html')] [string] $As = 'Object',
    [int] $AgentTimeout = 2
)
$vms = @(Get-StratoVm $Name)
$guests = @{}
$vms | Where-Object { $_.State -eq 'Running' -and $_.GuestAgent } | Get-StratoGuestInfo -Timeout $AgentTimeout -ErrorAction Ignore |
    ForEach-Object { $guests[$_.VMName] = $_ }
$rows = foreach ($vm in $vms) {
    [pscustomobject]@{
        Name        = $vm.Name
        State       = $vm.State
        Cpu         = $vm.Cpu
        CpuUsage    = $vm.CpuUsage
        MemoryMB    = $vm.Memory / 1MB
        ResidentMB  = [math]::Round($vm.MemoryResident / 1MB)
        UptimeHours = [math]::Round($vm.Uptime / 3600, 1)
        DiskGB      = [math]::Round(($vm.Drives | Measure-Object Size -Sum).Sum / 1GB, 1)
        Disks       = $vm.Drives.Path -join ' '
        Os          = $guests[$vm.Name].Os
        Addresses   = $guests[$vm.Name].Addresses -join ' '
        Notes       = $vm.Notes
    }
}
switch ($As) {
    'Object' { $rows }
    'Csv' { $rows | ConvertTo-Csv }
    'Json' { ConvertTo-Json @($rows) }
    'Html' {
        $h = Get-StratoHost
        $free = '{0:N1} of {1:N1} GB free' -f ($h.MemoryAvailable / 1GB), ($h.MemoryTotal / 1GB)
        $rows | ConvertTo-Html -Title "VMs of $($h.Name)" -PreContent "<h1>VMs of $($h.Name)</h1><p>$free, $(Get-Date -Format s)</p>"
    }
}
