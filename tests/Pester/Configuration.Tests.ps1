. "$PSScriptRoot/common.ps1"
BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato
    $folder = New-TestState
    $kernel = "$folder/vmlinuz"
}
AfterAll { Remove-TestState $folder }

Describe 'Configurations' -Tag Unit {
    BeforeAll { Push-Location $folder }
    AfterAll { Pop-Location }
    AfterEach { Get-StratoVm | Remove-StratoVm -Force }

    It 'are data files of PowerShell, whatever a VM is called' {
        $notes = "it's $([char]0x2018)odd$([char]0x2019) $([char]0x201c)text$([char]0x201d), `$(Get-Date) ``n`nsecond # line`r`nthird <#`t'@"
        $name = "o'dd $([char]0x2019) `$x"
        New-StratoVm $name $kernel -Memory 768MB -Notes $notes | Add-StratoDrive $kernel -ReadOnly
        Export-StratoVmConfiguration * odd.psd1 | Should -BeNullOrEmpty
        $data = Import-PowerShellDataFile odd.psd1
        $data.Name | Should -BeExactly $name
        $data.Notes | Should -BeExactly $notes
        $data.Memory | Should -Be 768MB
        $data.Drives.ReadOnly | Should -BeTrue
        Get-Content odd.psd1 | Should -Contain '    Memory = 768MB  # bytes: 256MB to 512GB'
        $copy = Import-StratoVmConfiguration odd.psd1 -Name copy
        $copy.Notes | Should -BeExactly $notes
        Get-StratoVm o* | Compare-StratoVm -DifferenceName copy | Should -BeNullOrEmpty
    }
    It 'are made of what is written by hand, and refused with line and name' {
        "@{`n    Name = 'hand'`n    Kernel = 'vmlinuz'`n    Memory = 1GB; Core = 2`n}" | Set-Content hand.psd1
        $vm = Import-StratoVmConfiguration hand.psd1
        $vm.Cpu, $vm.Memory, $vm.Kernel | Should -Be 2, 1GB, $kernel
        "@{`n    Name = 'x'`n    Kernle = 'vmlinuz'`n}" | Set-Content bad.psd1
        { Import-StratoVmConfiguration bad.psd1 -ErrorAction Stop } | Should -Throw "*bad.psd1', line 3, Kernle: *did you mean Kernel*" -ErrorId 'InvalidConfiguration,*'
        Get-ChildItem hand.psd1 | Import-StratoVmConfiguration -Name other -WhatIf | Should -BeNullOrEmpty
        (Get-ChildItem hand.psd1 | Import-StratoVmConfiguration -Name other).Name | Should -Be 'other'
    }
    It 'are taken over from libvirt and from command lines, and what cannot be is told' {
        @'
<domain type='kvm'>
  <name>lv</name><memory unit='MiB'>512</memory><vcpu>2</vcpu>
  <os><type>hvm</type><kernel>vmlinuz</kernel><cmdline>a b</cmdline></os>
  <devices>
    <disk type='file'><driver type='raw'/><source file='vmlinuz'/><target dev='vda' bus='virtio'/><readonly/></disk>
    <graphics type='vnc'/>
  </devices>
</domain>
'@ | Set-Content lv.xml
        $vm = New-StratoVm -FromDomainXml lv.xml -WarningVariable told -WarningAction SilentlyContinue
        $vm.Name, $vm.Cpu, $vm.CommandLine, $vm.Drives[0].Path | Should -Be 'lv', 2, 'a b', $kernel
        $told | Should -HaveCount 1
        $told[0].Message | Should -BeLike "*lv.xml, line 6: <graphics> can't be carried over: *"
        (New-StratoVm two -FromDomainXml lv.xml -Memory 1GB -WarningAction SilentlyContinue).Memory | Should -Be 1GB
        $vm = New-StratoVm line -FromCommandLine "qemu-system-x86_64 -M microvm -m 1G -kernel vmlinuz -append 'console=ttyS0 quiet' -vnc :0" -WarningVariable told -WarningAction SilentlyContinue
        $vm.Memory, $vm.CommandLine | Should -Be 1GB, 'console=ttyS0 quiet'
        $told[0].Message | Should -BeLike "-FromCommandLine, line 1: -vnc :0 can't be carried over: *"
        { New-StratoVm x -FromCommandLine '-kernel $HOME/k' -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidCommandLine,*'
        '<!DOCTYPE domain><domain/>' | Set-Content dtd.xml
        { New-StratoVm x -FromDomainXml dtd.xml -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidDomainXml,*'
    }
    It 'are shown and made by Set-StratoVm -Configuration' {
        $null = New-StratoVm web $kernel
        '@{ Memory = 1GB; Notes = "n" }' | Set-Content want.psd1
        $lines = Invoke-Pwsh "Set-StratoVm web -Configuration '$folder/want.psd1' -WhatIf"
        $lines | Should -HaveCount 2
        $lines[0] | Should -BeLike "What if: *`"Change Notes from '' to 'n'`" on target `"web`"*"
        $lines[1] | Should -BeLike 'What if: *"Change Memory from 512MB to 1GB" on target "web"*'
        $found = Compare-StratoVm web want.psd1
        $found.Path | Should -Be 'Notes', 'Memory'
        $found[1].ReferenceValue, $found[1].DifferenceValue | Should -Be 512MB, 1GB
        $found | Format-Table | Out-String -Width 120 | Should -Match 'web +Memory +512 MB +<> +1 GB +True'
        $found | ConvertTo-Json | Should -Match '"DifferenceValue": 1073741824'
        Set-StratoVm web -Configuration want.psd1 | Should -BeNullOrEmpty
        (Get-StratoVm web).Memory | Should -Be 1GB
        Compare-StratoVm web want.psd1 | Should -BeNullOrEmpty
        { Set-StratoVm web -Configuration want.psd1 -Memory 2GB } | Should -Throw -ErrorId 'ParametersConflict,*'
    }
}

Describe 'Configurations and engines' -Tag Engine -Skip:([bool]$NoEngine) {
    BeforeAll { New-TinyKernel $kernel; Push-Location $folder }
    AfterAll { Pop-Location }
    AfterEach { Get-StratoVm | Stop-StratoVm -TurnOff -Force; Get-StratoVm | Remove-StratoVm -Force }

    It 'are what the engine reads' {
        $null = New-StratoVm web $kernel -CommandLine 'a=1' | Add-StratoDrive (New-StratoDisk read.img 1MB).FullName -ReadOnly -PassThru | Add-StratoRng -PassThru
        Export-StratoVmConfiguration web web.json
        (Get-Content web.json | ConvertFrom-Json).strato.Name | Should -Be 'web'
        $process = Start-Process $EnginePath '-config', 'web.json', '-force', '-S', '-qmp', "unix:$folder/q,server,nowait" -RedirectStandardError engine.log -RedirectStandardInput /dev/null -RedirectStandardOutput out.log -PassThru
        try { Wait-Until { Test-Path "$folder/q" } } finally { $process.Kill(); $process.WaitForExit() }
        Get-Content -Raw engine.log | Should -Match "the section 'strato' of 'web.json' is the cmdlets'"
        (Import-StratoVmConfiguration web.json -Name again | Start-StratoVm -AllowEmulation -PassThru).State | Should -Be 'Running'
    }
    It 'change a running VM as far as it can be' {
        $null = New-StratoVm web $kernel | Start-StratoVm -AllowEmulation
        $disk = New-StratoDisk more.img 1MB
        "@{ Memory = 1GB; Notes = 'n'; Drives = @{ Id = 'more'; Path = 'more.img'; Iops = 50 } }" | Set-Content want.psd1
        Compare-StratoVm web want.psd1 | Where-Object NeedsRestart | ForEach-Object Path | Should -Be 'Memory'
        { Set-StratoVm web -Configuration want.psd1 -ErrorAction Stop } | Should -Throw '*only while it is stopped: Memory. All else it has.' -ErrorId 'VmRunning,*'
        (Get-StratoVm web).Notes | Should -Be 'n'
        (Get-StratoDrive -VMName web).Path | Should -Be $disk.FullName
        (Invoke-StratoQmp query-block -VMName web).device | Should -Contain 'more'
        Stop-StratoVm web -TurnOff -Force
        Set-StratoVm web -Configuration want.psd1
        Compare-StratoVm web want.psd1 | Should -BeNullOrEmpty
    }
}

Describe 'Checks of configurations before a start' -Tag Engine -Skip:([bool]$NoEngine) {
    BeforeAll { New-TinyKernel $kernel; Push-Location $folder }
    AfterAll { Pop-Location }
    AfterEach { Get-StratoVm | Stop-StratoVm -TurnOff -Force; Get-StratoVm | Remove-StratoVm -Force }

    It 'pass where the VM starts, and leave nothing' {
        $null = New-StratoVm web $kernel | Add-StratoDrive (New-StratoDisk web.img 1MB).FullName -PassThru | Add-StratoRng
        $checks = Test-StratoVm web -AllowEmulation
        $checks[0].PSTypeNames[0] | Should -Be 'Strato.VmCheck'
        $checks | Where-Object Result -EQ Failed | Format-List | Out-String | Should -BeNullOrEmpty
        ($checks | Where-Object Name -EQ Machine).Result | Should -Be 'Passed'
        Test-StratoVm web -AllowEmulation -Quiet | Should -BeTrue
        $checks | Format-Table | Out-String -Width 160 | Should -Match 'web +Drive disk0 +.*Passed'
        @(Get-TestEngine $folder) | Should -HaveCount 0
        (Start-StratoVm web -AllowEmulation -PassThru).State | Should -Be 'Running'
        Test-StratoVm web -Quiet | Should -BeFalse
    }
    It 'tell what the engine alone can tell' {
        $null = New-StratoVm web $kernel | Add-StratoDrive (New-StratoDisk other.img 1MB).FullName
        Set-Content bad 'no kernel' -NoNewline
        $null = New-StratoVm bad ./bad
        $check = Test-StratoVm bad -AllowEmulation | Where-Object Name -EQ Machine
        $check.Result | Should -Be 'Failed'
        $refused = try { Start-StratoVm bad -AllowEmulation -ErrorAction Stop } catch { $_ }
        $check.Detail | Should -Be $refused.Exception.Message

        $null = New-StratoVm second $kernel | Add-StratoDrive other.img
        Start-StratoVm web -AllowEmulation
        $check = Test-StratoVm second -AllowEmulation | Where-Object Result -EQ Failed
        $check.Name | Should -Be 'Drive disk0'
        $check.Detail | Should -BeLike "*is in use by another VM or program: the VM 'web' runs with it."
        $check.Remedy | Should -Not -BeNullOrEmpty
    }
}
