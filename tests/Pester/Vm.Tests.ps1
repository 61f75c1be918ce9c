. "$PSScriptRoot/common.ps1"
BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato
    $folder = New-TestState
    $kernel = "$folder/vmlinuz"
}
AfterAll { Remove-TestState $folder }

Describe 'Definitions' -Tag Unit {
    AfterEach { Get-StratoVm | Remove-StratoVm -Force }

    It 'are made, shown, changed and removed' {
        $vm = New-StratoVm -Name web -Kernel $kernel -CommandLine 'a b' -Memory 1GB -Cpu 2 -Machine microvm
        $vm.PSTypeNames[0] | Should -Be 'Strato.Vm'
        $vm.State | Should -Be 'Stopped'
        Get-StratoVm web | ForEach-Object Memory | Should -Be 1GB
        Set-StratoVm web -Memory 512MB -NewName www | Should -BeNullOrEmpty
        (Get-StratoVm www).Memory | Should -Be 512MB
        (Get-StratoVm www).Id | Should -Be $vm.Id
        Remove-StratoVm www -Confirm:$false | Should -BeNullOrEmpty
        Get-StratoVm | Should -BeNullOrEmpty
    }
    It 'take relative paths and ~ from the location of PowerShell' {
        Push-Location $folder
        try { (New-StratoVm web ./vmlinuz).Kernel | Should -Be $kernel } finally { Pop-Location }
        Push-Location /
        try { { New-StratoVm other ./vmlinuz -ErrorAction Stop } | Should -Throw -ErrorId 'KernelNotFound,*' } finally { Pop-Location }
        { New-StratoVm other ~/no-kernel-here -ErrorAction Stop } | Should -Throw "*$HOME/no-kernel-here*"
        { New-StratoVm other Env:HOME -ErrorAction Stop } | Should -Throw -ErrorId 'PathNotFile,*'
    }
    It 'may bear odd names' {
        $names = 'two words', 'größe 日本', '[brackets]', '-dash', 'a`b', "it's", '$x', ('n' * 200)
        $names | ForEach-Object { New-StratoVm -Name $_ $kernel } | Should -HaveCount $names.Count
        foreach ($name in $names) { (Get-StratoVm -Name $name).Name | Should -BeExactly $name }
        Get-StratoVm -Name '[[]brackets*' | ForEach-Object Name | Should -Be '[brackets]'
        foreach ($name in $names) { Remove-StratoVm -Name $name -Force }
        Get-StratoVm | Should -BeNullOrEmpty
    }
    It 'go through pipelines' {
        $made = 1..5 | ForEach-Object { New-StratoVm "n$_" $kernel } | Add-StratoDrive $kernel -PassThru | Set-StratoVm -Cpu 2 -PassThru
        $made | Should -HaveCount 5
        $made.Drives | Should -HaveCount 5
        'n1', 'n2' | Get-StratoVm | ForEach-Object Cpu | Should -Be 2, 2
        Get-StratoVm n[34] | Remove-StratoVm -Force
        Get-StratoVm | ForEach-Object Name | Should -Be 'n1', 'n2', 'n5'
    }
    It 'get other names' {
        $vm = New-StratoVm web1 $kernel
        $null = New-StratoVm web2 $kernel
        Rename-StratoVm web1 www1 -WhatIf
        Rename-StratoVm web1 www1 | Should -BeNullOrEmpty
        (Get-StratoVm www1).Id | Should -Be $vm.Id
        { Rename-StratoVm web2 WWW1 -ErrorAction Stop } | Should -Throw -ErrorId 'VmExists,*'
        (Get-StratoVm w* | Rename-StratoVm -NewName { $_.Name -replace '^...', 'n' } -PassThru).Name | Should -Be 'n2', 'n1'
        Get-StratoLog n1 | Should -BeNullOrEmpty
        { Get-StratoLog n1 -Follow -Previous } | Should -Throw -ErrorId 'ParametersConflict,*'
    }
    It 'are copied, with their disks' {
        $disk = New-StratoDisk "$folder/web.img" 16MB
        $disk | Should -BeOfType System.IO.FileInfo
        $disk.Length | Should -Be 16MB
        { New-StratoDisk $disk 1MB -ErrorAction Stop } | Should -Throw -ErrorId 'FileExists,*'
        { New-StratoDisk "$folder/odd.img" 1000 -ErrorAction Stop } | Should -Throw -ErrorId 'DiskSize,*'
        $vm = New-StratoVm web $kernel -Memory 1GB | Add-StratoDrive $disk -PassThru | Add-StratoNetworkAdapter tap0 -MacAddress 52:54:00:12:34:56 -PassThru
        $copy = Copy-StratoVm web web2 -CopyDisk
        $copy.Memory | Should -Be 1GB
        $copy.Id | Should -Not -Be $vm.Id
        $copy.Drives.Path | Should -Be "$folder/web2-disk0.img"
        (Get-Item $copy.Drives.Path).Length | Should -Be 16MB
        $copy.NetworkAdapters.MacAddress | Should -Not -Be '52:54:00:12:34:56'
        $shared = $vm, $copy | Copy-StratoVm -NewName { "$($_.Name)-trial" } -WarningVariable warned -WarningAction SilentlyContinue
        $shared.Name | Should -Be 'web-trial', 'web2-trial'
        $warned | Should -HaveCount 2
        Copy-StratoVm web web3 -CopyDisk -WhatIf
        { Copy-StratoVm web WEB2 -ErrorAction Stop } | Should -Throw -ErrorId 'VmExists,*'
        { Copy-StratoVm web web3 -DiskDirectory $folder } | Should -Throw -ErrorId 'ParametersConflict,*'
        Get-StratoVm web3* | Should -BeNullOrEmpty
    }
    It 'have network adapters that come, change and go' {
        $vm = New-StratoVm web $kernel | Add-StratoNetworkAdapter tap0 -QueueCount 2 -Vhost -PassThru | Add-StratoNetworkAdapter -User -PassThru
        $vm.NetworkAdapters.Type | Should -Be 'Tap', 'User'
        $vm | Set-StratoNetworkAdapter net0 -TapName tap1 -Vhost:$false
        $vm | Get-StratoNetworkAdapter net0 | ForEach-Object { $_.TapName, $_.QueueCount, $_.Vhost } | Should -Be 'tap1', 2, $false
        Get-StratoNetworkAdapter -VMName web | Where-Object Type -EQ User | Set-StratoNetworkAdapter -PortForward tcp::2222-:22, udp::53-:53
        ($vm | Get-StratoNetworkAdapter net1).PortForward | Should -Be 'tcp::2222-:22 udp::53-:53'
        Get-StratoNetworkAdapter -VMName web | Remove-StratoNetworkAdapter
        Get-StratoNetworkAdapter -VMName web | Should -BeNullOrEmpty
    }
    It 'have disks that change' {
        $null = New-StratoVm web $kernel | Add-StratoDrive $kernel -Serial S1
        Copy-Item $kernel "$folder/other"
        Set-StratoDrive disk0 -VMName web -Path "$folder/other" -ReadOnly
        Get-StratoDrive -VMName web | ForEach-Object { $_.Path, $_.ReadOnly, $_.Serial } | Should -Be "$folder/other", $true, 'S1'
        Get-StratoDrive -VMName web | Set-StratoDrive -ReadOnly:$false -Serial ''
        Get-StratoDrive -VMName web | ForEach-Object { $_.ReadOnly, $_.Serial } | Should -Be $false, $null
        { Set-StratoDrive disk0 -VMName web -Path /nowhere -ReadOnly -ErrorAction Stop } | Should -Throw -ErrorId 'DriveFileNotFound,*'
        (Get-StratoDrive -VMName web).ReadOnly | Should -BeFalse
        Get-StratoDrive -VMName web | Remove-StratoDrive
        Get-StratoDrive -VMName web | Should -BeNullOrEmpty
    }
    It 'have a port for the guest agent, which is a console port' {
        $vm = New-StratoVm web $kernel -GuestAgent
        $vm.GuestAgent | Should -BeTrue
        Get-StratoConsolePort -VMName web | ForEach-Object { $_.Id, $_.Backend } | Should -Be 'org.qemu.guest_agent.0', 'Socket'
        ($vm | Set-StratoVm -GuestAgent:$false -PassThru).GuestAgent | Should -BeFalse
        Get-StratoConsolePort -VMName web | Should -BeNullOrEmpty
        ($vm | Add-StratoConsolePort org.qemu.guest_agent.0 -PassThru).GuestAgent | Should -BeTrue
        (New-StratoVm plain $kernel).GuestAgent | Should -BeFalse
        Invoke-StratoGuestCommand true -VMName web -WhatIf
        Copy-StratoGuestFile $kernel /tmp/ -VMName web -ToGuest -WhatIf
    }
    It 'have devices of one each that change and go' {
        $vm = New-StratoVm web $kernel | Add-StratoVsock -PassThru | Add-StratoRng -PassThru | Add-StratoBalloon -PassThru | Add-StratoConsolePort agent -PassThru
        Set-StratoVsock web -GuestCid 77
        (Get-StratoVsock web).GuestCid | Should -Be 77
        Set-StratoRng web -MaxBytes 2KB -Period 500
        Get-StratoRng web | ForEach-Object { $_.MaxBytes, $_.Period } | Should -Be 2KB, 500
        Set-StratoConsolePort agent -VMName web -Backend File -Path "$folder/agent.txt"
        Get-StratoConsolePort -VMName web | ForEach-Object { $_.Backend, $_.Path } | Should -Be 'File', "$folder/agent.txt"
        Remove-StratoVsock web; Remove-StratoRng web; Remove-StratoBalloon web; $vm | Remove-StratoConsolePort agent
        Get-StratoVsock web | Should -BeNullOrEmpty
        Get-StratoRng web | Should -BeNullOrEmpty
        Get-StratoBalloon web | Should -BeNullOrEmpty
        $vm | Get-StratoConsolePort | Should -BeNullOrEmpty
    }
    It 'have iothreads that devices name' {
        $vm = New-StratoVm web $kernel | Add-StratoIoThread fast -PassThru | Add-StratoIoThread -PassThru | Add-StratoDrive $kernel -IoThread fast -PassThru
        (Get-StratoIoThread -VMName web).Id | Should -Be 'fast', 'iothread0'
        { Set-StratoDrive disk0 -VMName web -IoThread slow -ErrorAction Stop } | Should -Throw -ErrorId 'IoThreadNotFound,*' -ExpectedMessage "*'slow'*'fast', 'iothread0'*"
        { $vm | Remove-StratoIoThread fast -ErrorAction Stop } | Should -Throw -ErrorId 'IoThreadInUse,*' -ExpectedMessage "*'disk0'*"
        $vm | Set-StratoIoThread fast -NewId faster
        ($vm | Get-StratoIoThread fast*).Devices | Should -Be 'disk0'
        Set-StratoDrive disk0 -VMName web -IoThread ''
        Get-StratoVm | Get-StratoIoThread | Where-Object { -not $_.Devices } | Remove-StratoIoThread
        Get-StratoIoThread -VMName web | Should -BeNullOrEmpty
    }
    It 'come from a table' {
        "Name,Kernel,Memory`na,$kernel,268435456`nb,$kernel,536870912" | ConvertFrom-Csv | New-StratoVm | ForEach-Object Memory | Should -Be 256MB, 512MB
    }
    It 'stay as they are under -WhatIf' {
        New-StratoVm web $kernel -WhatIf
        Get-StratoVm | Should -BeNullOrEmpty
        $null = New-StratoVm web $kernel
        Set-StratoVm web -Cpu 8 -WhatIf
        Add-StratoDrive $kernel -VMName web -WhatIf
        Remove-StratoVm web -Force -WhatIf
        $WhatIfPreference = $true
        Remove-StratoVm web -Force
        $WhatIfPreference = $false
        (Get-StratoVm web).Cpu | Should -Be 1
        (Get-StratoVm web).Drives | Should -BeNullOrEmpty
    }
    It 'are removed only after a question' {
        $null = New-StratoVm web $kernel
        Invoke-Pwsh "Remove-StratoVm web" | Out-String | Should -Match 'NonInteractive|Confirm'
        (Get-StratoVm web).Name | Should -Be 'web'
    }
    It 'are safe with several runspaces at once' {
        1..20 | ForEach-Object -Parallel {
            Import-Module $using:ModulePath
            $null = New-StratoVm "p$_" $using:kernel
            Set-StratoVm "p$_" -Notes "note $_"
        } -ThrottleLimit 5
        Get-StratoVm p* | ForEach-Object { $_.Notes -replace 'note ', 'p' | Should -Be $_.Name }
        (Get-StratoVm).Count | Should -Be 20
        $made = 1..8 | ForEach-Object -Parallel { Import-Module $using:ModulePath; New-StratoVm same $using:kernel -ErrorAction SilentlyContinue } -ThrottleLimit 8
        @($made).Count | Should -Be 1
    }
    It 'that are damaged are told and can be removed' {
        $bad = New-StratoVm bad $kernel
        $null = New-StratoVm good $kernel
        Set-Content "$($bad.Path)/vm.json" ''
        (Get-StratoVm -ErrorVariable problems -ErrorAction SilentlyContinue).Name | Should -Be 'good'
        Get-ErrorId $problems[0] | Should -Be 'VmDefinitionDamaged'
        "$($problems[0])" | Should -BeLike "*$($bad.Path)/vm.json*"
        Remove-StratoVm -Id $problems[0].TargetObject -Force
        (Get-StratoVm).Name | Should -Be 'good'
    }
    It 'survive another shell' {
        $null = New-StratoVm web $kernel
        Invoke-Pwsh "Set-StratoVm web -Cpu 2; (Get-StratoVm web).Cpu" | Should -Be 2
        (Get-StratoVm web).Cpu | Should -Be 2
    }
}

Describe 'Mistakes' -Tag Unit {
    BeforeAll { $null = New-StratoVm web $kernel }
    AfterAll { Remove-StratoVm web -Force }

    It 'are named: <Id>' -ForEach @(
        @{ Id = 'VmNotFound'; Category = 'ObjectNotFound'; Says = "*'nobody'*"; Script = { Get-StratoVm nobody } }
        @{ Id = 'VmNotFound'; Category = 'ObjectNotFound'; Says = "*'nobody'*"; Script = { Start-StratoVm nobody } }
        @{ Id = 'VmExists'; Category = 'ResourceExists'; Says = "*'WEB'*"; Script = { New-StratoVm WEB $kernel } }
        @{ Id = 'InvalidName'; Category = 'InvalidArgument'; Says = '*0 characters; a name has 1 to 255.'; Script = { New-StratoVm '' $kernel } }
        @{ Id = 'InvalidName'; Category = 'InvalidArgument'; Says = '*slash*'; Script = { New-StratoVm a/b $kernel } }
        @{ Id = 'KernelNotFound'; Category = 'ObjectNotFound'; Says = '*/nowhere*'; Script = { New-StratoVm x /nowhere } }
        @{ Id = 'InvalidMemory'; Category = 'InvalidArgument'; Says = '*256*'; Script = { New-StratoVm x $kernel -Memory 100MB } }
        @{ Id = 'InvalidMemory'; Category = 'InvalidArgument'; Says = '*512*'; Script = { New-StratoVm x $kernel -Memory 600GB } }
        @{ Id = 'HugePageSizeUnavailable'; Category = 'ResourceUnavailable'; Says = '*no huge pages of 3 MiB*'; Script = { New-StratoVm x $kernel -HugePage 3MB } }
        @{ Id = 'HugePageSizeUnavailable'; Category = 'ResourceUnavailable'; Says = '*no huge pages of 3 MiB*'; Script = { Set-StratoHugePage 3MB 1 } }
        @{ Id = 'InvalidCpuCount'; Category = 'InvalidArgument'; Says = '*255*254*'; Script = { New-StratoVm x $kernel -Cpu 255 } }
        @{ Id = 'UnknownMachineType'; Category = 'InvalidArgument'; Says = '*i440fx*'; Script = { New-StratoVm x $kernel -Machine i440fx } }
        @{ Id = 'DriveFileNotFound'; Category = 'ObjectNotFound'; Says = '*/nowhere.ext4*'; Script = { Add-StratoDrive /nowhere.ext4 -VMName web } }
        @{ Id = 'BalloonNotFound'; Category = 'ObjectNotFound'; Says = "*'web'*"; Script = { Set-StratoBalloon web -Target 512MB } }
        @{ Id = 'OutOfRange'; Category = 'InvalidArgument'; Says = '*2*3 to 4294967294*'; Script = { Add-StratoVsock web -GuestCid 2 } }
        @{ Id = 'ConsolePortNotFound'; Category = 'ObjectNotFound'; Says = "*'hvc0'*it has none*"; Script = { Remove-StratoConsolePort hvc0 -VMName web } }
        @{ Id = 'SharedFolderNotFound'; Category = 'ObjectNotFound'; Says = "*'src'*it has none*"; Script = { Remove-StratoSharedFolder src -VMName web } }
        @{ Id = 'SharedFolderPathNotFound'; Category = 'ObjectNotFound'; Says = '*/nowhere*'; Script = { Add-StratoSharedFolder /nowhere -VMName web } }
        @{ Id = 'RngSourceNotFound'; Category = 'ObjectNotFound'; Says = '*/nowhere*'; Script = { Add-StratoRng web -Source /nowhere } }
        @{ Id = 'InvalidNetworkAdapter'; Category = 'InvalidArgument'; Says = '*-TapName*-User*'; Script = { Add-StratoNetworkAdapter -VMName web } }
        @{ Id = 'InvalidMac'; Category = 'InvalidArgument'; Says = "*'52:54'*"; Script = { Add-StratoNetworkAdapter tap0 -VMName web -MacAddress 52:54 } }
        @{ Id = 'NetworkAdapterNotFound'; Category = 'ObjectNotFound'; Says = "*'net0'*"; Script = { Remove-StratoNetworkAdapter net0 -VMName web } }
        @{ Id = 'VmNotRunning'; Category = 'InvalidOperation'; Says = "*'web'*"; Script = { Suspend-StratoVm web } }
        @{ Id = 'VmNotRunning'; Category = 'InvalidOperation'; Says = "*'web'*"; Script = { Invoke-StratoQmp query-status -VMName web } }
        @{ Id = 'VmNotRunning'; Category = 'InvalidOperation'; Says = "*'web'*"; Script = { Send-StratoConsole x -VMName web } }
        @{ Id = 'VmNotRunning'; Category = 'InvalidOperation'; Says = "*'web'*"; Script = { Invoke-StratoGuestCommand true -VMName web } }
        @{ Id = 'VmNotRunning'; Category = 'InvalidOperation'; Says = "*'web'*"; Script = { Get-StratoGuestInfo web } }
        @{ Id = 'VmNotRunning'; Category = 'InvalidOperation'; Says = "*'web'*"; Script = { Wait-StratoVm web -For GuestAgent } }
        @{ Id = 'FileNotFound'; Category = 'ObjectNotFound'; Says = '*/nowhere*'; Script = { Copy-StratoGuestFile /nowhere /tmp/ -ToGuest -VMName web } }
        @{ Id = 'InvalidGuestPath'; Category = 'InvalidArgument'; Says = "*'here'*"; Script = { Copy-StratoGuestFile $kernel here -ToGuest -VMName web } }
        @{ Id = 'CommandMissing'; Category = 'InvalidArgument'; Says = '*-Command*-FilePath*'; Script = { Invoke-StratoGuestCommand -VMName web } }
        @{ Id = 'DirectionMissing'; Category = 'InvalidArgument'; Says = '*-ToGuest*-FromGuest*'; Script = { Copy-StratoGuestFile a /b -VMName web } }
        @{ Id = 'MatchMissing'; Category = 'InvalidArgument'; Says = '*-Match*'; Script = { Wait-StratoVm web -For Console } }
    ) {
        $problem = try { & $Script -ErrorAction Stop 2>&1 } catch { $_ }
        Get-ErrorId $problem | Should -Be $Id
        "$($problem.CategoryInfo.Category)" | Should -Be $Category
        "$problem" | Should -BeLike $Says
    }
    It 'in one item leave the others alone' {
        $found = Get-StratoVm nobody, web, noone -ErrorAction SilentlyContinue -ErrorVariable problems
        $found.Name | Should -Be 'web'
        $problems.TargetObject | Should -Be 'nobody', 'noone'
    }
    It 'come with what to do' {
        $problem = try { Start-StratoVm nobody -ErrorAction Stop } catch { $_ }
        $problem.CategoryInfo.TargetName | Should -Be 'nobody'
    }
    It 'in a wildcard are silent' {
        Get-StratoVm no* -ErrorAction Stop | Should -BeNullOrEmpty
        Stop-StratoVm no* -ErrorAction Stop
    }
    It 'in parameters that exclude each other end the cmdlet' {
        { Stop-StratoVm web -TurnOff -TurnOffAfter 5 } | Should -Throw -ErrorId 'ParametersConflict,*'
        { Invoke-StratoGuestCommand a -FilePath b -VMName web } | Should -Throw -ErrorId 'ParametersConflict,*'
        { Copy-StratoGuestFile a /b -ToGuest -FromGuest -VMName web } | Should -Throw -ErrorId 'ParametersConflict,*'
        { Copy-StratoGuestFile a /b -ToGuest -Mode rwx -VMName web } | Should -Throw -ErrorId 'InvalidMode,*'
        { Wait-StratoVm web -Match '(' } | Should -Throw -ErrorId 'MatchInvalid,*'
    }
}
