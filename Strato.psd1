@{
    RootModule           = 'bin/Strato.PowerShell.dll'
    ModuleVersion        = '0.1.0'
    GUID                 = 'd4f38dad-9428-4961-9ef2-2c8e27599613'
    Author               = 'The Strato maintainers'
    CompanyName          = 'The Strato maintainers'
    Copyright            = '(c) 2026 The Strato maintainers. MIT licence.'
    Description          = 'Virtual machines from PowerShell, on KVM, with a virtual machine monitor of its own: no daemon, no libvirt, no QEMU.'
    CompatiblePSEditions = @('Core')
    PowerShellVersion    = '7.4'
    FormatsToProcess     = @('Strato.Format.ps1xml')
    TypesToProcess       = @('Strato.Types.ps1xml')
    FunctionsToExport    = @()
    VariablesToExport    = @()
    AliasesToExport      = @()
    CmdletsToExport      = @(
        'Add-StratoBalloon'
        'Add-StratoConsolePort'
        'Add-StratoDrive'
        'Add-StratoIoThread'
        'Add-StratoNetworkAdapter'
        'Add-StratoRng'
        'Add-StratoSharedFolder'
        'Add-StratoVsock'
        'Copy-StratoGuestFile'
        'Enter-StratoConsole'
        'Get-StratoBalloon'
        'Get-StratoConsole'
        'Get-StratoConsolePort'
        'Get-StratoCpu'
        'Get-StratoDrive'
        'Get-StratoGuestInfo'
        'Get-StratoHost'
        'Get-StratoHugePage'
        'Get-StratoIoThread'
        'Get-StratoNetworkAdapter'
        'Get-StratoRng'
        'Get-StratoSharedFolder'
        'Get-StratoVm'
        'Get-StratoVsock'
        'Invoke-StratoGuestCommand'
        'Invoke-StratoQmp'
        'New-StratoVm'
        'Remove-StratoBalloon'
        'Remove-StratoConsolePort'
        'Remove-StratoDrive'
        'Remove-StratoIoThread'
        'Remove-StratoNetworkAdapter'
        'Remove-StratoRng'
        'Remove-StratoSharedFolder'
        'Remove-StratoVm'
        'Remove-StratoVsock'
        'Restart-StratoVm'
        'Resume-StratoVm'
        'Send-StratoConsole'
        'Set-StratoBalloon'
        'Set-StratoConsolePort'
        'Set-StratoCpu'
        'Set-StratoDrive'
        'Set-StratoHugePage'
        'Set-StratoIoThread'
        'Set-StratoNetworkAdapter'
        'Set-StratoRng'
        'Set-StratoSharedFolder'
        'Set-StratoVm'
        'Set-StratoVsock'
        'Start-StratoVm'
        'Stop-StratoVm'
        'Suspend-StratoVm'
        'Wait-StratoVm'
    )
    PrivateData          = @{
        PSData = @{
            Tags         = @('VirtualMachine', 'VM', 'KVM', 'Hypervisor', 'microVM', 'StratoVirt', 'Linux', 'PSEdition_Core')
            LicenseUri   = 'https://opensource.org/license/mit'
            ReleaseNotes = 'First slice: microVMs with disks and a serial console, defined, started, watched and stopped by cmdlets. See CHANGELOG.md.'
        }
    }
}
