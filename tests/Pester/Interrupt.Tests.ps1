. "$PSScriptRoot/common.ps1"
BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato

    # Ctrl-C as the shell does it: the pipeline is stopped, and its thread comes back. The limit is that of the promise; the moments
    # are those before, in and after the first connection, and the one at which progress is shown.
    $limit = 200
    function Stop-Pipeline([string] $Script, [int[]] $Moment = (20, 200), [scriptblock] $Before) {
        $definitions = (Get-ChildItem "$folder/s/vms/*/vm.json").FullName
        foreach ($after in $Moment) {
            # The machine may be busy with something else for a moment: three tries, of which one has to be in time. A cmdlet that
            # waits for something else than Ctrl-C is late each time.
            $took = foreach ($try in 1..3) {
                if ($Before) { & $Before }
                $shell = [powershell]::Create()
                $shell.Runspace = $runspace
                $handle = $shell.AddScript($Script).BeginInvoke()
                if ($handle.AsyncWaitHandle.WaitOne($after)) {
                    $said = try { $shell.EndInvoke($handle) | Out-String } catch { "$_" }
                    throw "It waits for nothing, and ended within $after ms: $said $($shell.Streams.Error)"
                }
                $clock = [System.Diagnostics.Stopwatch]::StartNew()
                $stop = $shell.BeginStop($null, $null)
                # One that hangs is left behind: whoever disposes of it hangs, too.
                if (-not $stop.AsyncWaitHandle.WaitOne(20000)) { throw "It is still there 20 s after Ctrl-C, which came after $after ms." }
                $clock.ElapsedMilliseconds
                $shell.Dispose()
                if ($clock.ElapsedMilliseconds -le $limit) { break }
            }
            @($took)[-1] | Should -BeLessOrEqual $limit -Because "Ctrl-C after $after ms took, try by try, $($took -join ', ') ms"
        }
        (Get-ChildItem "$folder/s/vms/*/vm.json").FullName | Should -Be $definitions
    }

    function Start-Shell([string] $Script) {
        $shell = [powershell]::Create().AddScript({ param($m, $s) Import-Module $m; & ([scriptblock]::Create($s)) }).AddArgument($ModulePath).AddArgument($Script)
        $null = $shell.BeginInvoke()
        $shell
    }

    # A program that says that it runs, and then nothing for ever.
    function New-Sleeper([string] $Path) {
        $null = New-Item -ItemType Directory (Split-Path $Path) -Force
        Set-Content $Path "#!/bin/sh`nexec sleep 1000`n" -NoNewline
        & chmod +x $Path
        $Path
    }
}

Describe 'Ctrl-C' -Tag Engine -Skip:([bool]$NoEngine) {
    BeforeAll {
        $folder = New-TestState
        New-TinyKernel "$folder/tiny"
        $null = New-Item -ItemType Directory "$folder/bin"
        $sleeper = New-Sleeper "$folder/bin/sleeper"
        $null = New-StratoDisk "$folder/tiny.img" 1MB

        # A guest that looks at no device and obeys nobody, an engine that answers nobody, one that never gets ready (and its VM's lock
        # is held meanwhile), and a VM that doesn't run.
        $null = New-StratoVm tiny "$folder/tiny" -Memory 256MB -MaximumCpu 32 -GuestAgent
        Add-StratoBalloon -VMName tiny
        Add-StratoDrive "$folder/tiny.img" -VMName tiny
        $null = New-StratoVm frozen "$folder/tiny" -Memory 256MB
        Add-StratoBalloon -VMName frozen
        Start-StratoVm tiny, frozen -AllowEmulation
        $null = Wait-StratoVm tiny -Match 'tiny guest' -Timeout 60
        $frozen = (Get-StratoVm frozen).ProcessId
        & /bin/kill -STOP $frozen
        $null = New-StratoVm held "$folder/tiny" -Memory 256MB
        New-StratoVm saved "$folder/tiny" -Memory 256MB | Start-StratoVm -AllowEmulation
        Save-StratoSnapshot saved base
        Export-StratoSnapshot saved base "$folder/exported"
        Stop-StratoVm saved -TurnOff
        $null = Import-StratoSnapshot "$folder/exported" -VMName held
        $null = New-StratoVm still "$folder/tiny" -Memory 256MB
        $env:STRATO_ENGINE = $sleeper
        $holder = Start-Shell 'Start-StratoVm held -Timeout 3600'
        Wait-Until { (Get-StratoVm held).State -eq 'Starting' } -What 'the start that holds the lock'
        $env:STRATO_ENGINE = $null
        $null = Export-StratoVmConfiguration tiny "$folder/held.psd1"

        # What is waited for is the stop, and not the import.
        $runspace = [runspacefactory]::CreateRunspace()
        $runspace.Open()
        $shell = [powershell]::Create()
        $shell.Runspace = $runspace
        $null = $shell.AddScript("Import-Module '$ModulePath'; Set-Location '$folder'; Get-StratoVm still").Invoke()
        $shell.Dispose()
    }
    AfterAll {
        $holder.Stop()
        $holder.Dispose()
        $runspace.Dispose()
        & /bin/kill -CONT $frozen
        Get-StratoVm | Stop-StratoVm -TurnOff
        Remove-TestState $folder
    }

    Context 'while a guest is waited for' {
        It 'ends <_>' -ForEach @(
            'Wait-StratoVm tiny -For Stopped'
            'Wait-StratoVm tiny -For Paused'
            'Wait-StratoVm tiny -For GuestAgent'
            'Wait-StratoVm tiny -For IPAddress'
            'Wait-StratoVm tiny -For Console -Match never'
            'Wait-StratoVm still -For Running'
            'Wait-StratoVm * -For Paused'
            'Stop-StratoVm tiny'
            'Stop-StratoVm tiny -TurnOffAfter 3600'
            'Restart-StratoVm tiny'
            'Get-StratoConsole tiny -Follow'
            'Get-StratoConsole tiny -Tail 1 -Follow -Raw'
            'Get-StratoConsole tiny -Follow -AsByteStream'
            'Send-StratoConsole never -VMName tiny -NoNewline -ExpectMatch again'
            'Get-StratoLog tiny -Follow'
            'Watch-StratoEvent'
            'Watch-StratoEvent tiny -Event SHUTDOWN'
            'Measure-StratoVm -Interval 60'
            'Measure-StratoVm tiny -Interval 1'
            'Invoke-StratoGuestCommand -VMName tiny -Command true'
            'Invoke-StratoGuestCommand -VMName tiny -FilePath /bin/cat -InputText a'
            'Get-StratoGuestInfo tiny'
            'Copy-StratoGuestFile tiny /tmp -ToGuest -VMName tiny'
            'Copy-StratoGuestFile /etc/hostname here -FromGuest -VMName tiny'
            'Set-StratoBalloon tiny -Target 128MB -Wait'
            'Set-StratoVm tiny -Cpu ((Get-StratoVm tiny).Cpu + 1) -Wait'
        ) { Stop-Pipeline $_ -Moment 20, 200, 600 }
        It 'ends Invoke-StratoVm, and its VM with it' -Skip:(-not (Get-Command busybox -ErrorAction Ignore)) {
            $null = New-Item -ItemType Directory "$folder/image-of"
            Set-Content "$folder/image-of/file" text
            $engines = @(Get-TestEngine $folder).Count
            # By then it has its image, and in the later ones the image of the first.
            Stop-Pipeline 'Invoke-StratoVm image-of true -Kernel tiny -ModulePath "" -AllowEmulation' -Moment 1500, 200, 600
            Get-TestEngine $folder | Should -HaveCount $engines
        }
    }

    Context 'while an engine does not answer' {
        It 'ends <_>' -ForEach @(
            'Stop-StratoVm frozen'
            'Stop-StratoVm frozen -TurnOffAfter 3600'
            'Restart-StratoVm frozen'
            'Restart-StratoVm frozen -Reset -Force'
            'Suspend-StratoVm frozen'
            'Resume-StratoVm frozen'
            'Get-StratoVm'
            'Get-StratoVm frozen'
            'Wait-StratoVm frozen -For Stopped'
            'Wait-StratoVm frozen -For Console -Match never'
            'Invoke-StratoQmp query-status -VMName frozen'
            'Debug-StratoVm frozen -Register'
            'Debug-StratoVm frozen -Nmi'
            'Debug-StratoVm frozen -DumpPath frozen.core'
            'Set-StratoBalloon frozen -Target 128MB'
            'Get-StratoBalloon -VMName frozen'
            'Get-StratoCpu frozen'
            'Get-StratoIoThread -VMName frozen'
            'Get-StratoConsole frozen -Follow'
            'Send-StratoConsole a -VMName frozen'
            'Watch-StratoEvent frozen'
            'Add-StratoDrive tiny.img -VMName frozen'
            'Add-StratoNetworkAdapter -TapName nosuchtap -VMName frozen'
            'Measure-StratoVm frozen'
            'Save-StratoSnapshot frozen'
        ) { Stop-Pipeline $_ }
    }

    Context 'while another command has the lock' {
        It 'ends <_>' -ForEach @(
            'Start-StratoVm held'
            'Wait-StratoVm held'
            'Remove-StratoVm held -Force'
            'Rename-StratoVm held other'
            'Set-StratoVm held -Notes a'
            'Set-StratoCpu held -Cpu 0 -Affinity 0'
            'Add-StratoDrive tiny.img -VMName held'
            'Add-StratoNetworkAdapter -User -VMName held'
            'Add-StratoRng -VMName held'
            'Add-StratoVsock -VMName held'
            'Add-StratoBalloon -VMName held'
            'Add-StratoIoThread -VMName held'
            'Add-StratoConsolePort -VMName held'
            'Add-StratoSharedFolder . -VMName held'
            'Set-StratoVm held -Configuration held.psd1'
            'Stop-StratoVm held'
            'Get-StratoConsole held -Follow'
            'Invoke-StratoQmp query-status -VMName held'
            'Save-StratoSnapshot held'
            'Restore-StratoSnapshot held base -Force'
            'Import-StratoSnapshot exported again -VMName held'
            'Rename-StratoSnapshot held base other'
            'Remove-StratoSnapshot held base -Force'
        ) { Stop-Pipeline $_ }
        It 'ends commands that wait for the lock of names' {
            $waiter = Start-Shell "while (`$true) { Rename-StratoVm held other -ErrorAction Ignore }"
            try {
                foreach ($script in 'New-StratoVm another tiny', 'Copy-StratoVm still another', 'Rename-StratoVm still another') {
                    # Now and then it has nobody: then they succeed.
                    Stop-Pipeline $script -Before {
                        Wait-Until { (Select-String -Path /proc/locks -SimpleMatch ":$((Get-Item "$folder/s/names.lock").UnixStat.Inode) ") }
                    }
                }
            } finally {
                $waiter.Stop()
                $waiter.Dispose()
            }
        }
    }

    Context 'while a program of the host works' {
        BeforeAll {
            $path = $env:PATH
            'mkfs.ext4', 'mke2fs', 'mmdebstrap', 'nft', 'dnsmasq', 'passt' | ForEach-Object { New-Item -ItemType SymbolicLink "$folder/bin/$_" -Target $sleeper }
            $env:PATH = "$folder/bin:$path"
            $null = New-Item -ItemType Directory "$folder/root"
            Set-Content "$folder/root/file" text
            $null = New-StratoVm user "$folder/tiny" -Memory 256MB | Add-StratoNetworkAdapter -User
            $env:STRATO_ENGINE = $null
        }
        AfterAll {
            $env:PATH = $path
            $env:STRATO_ENGINE = $null
        }

        It 'ends <_>' -ForEach @(
            'New-StratoDisk new.img 64MB -Format ext4'
            'New-StratoGuestImage root -Destination image -Kernel tiny -ModulePath ""'
            'New-StratoGuestImage -Distribution debian -Destination image -Kernel tiny -ModulePath ""'
            'Invoke-StratoVm root true -Kernel tiny -ModulePath ""'
            'Start-StratoVm user -AllowEmulation'
        ) {
            Stop-Pipeline $_
            Test-Path "$folder/new.img", "$folder/image/root.ext4" | Should -Be $false, $false
        }
        It 'ends <_> where the engine never gets ready' -ForEach @(
            'Start-StratoVm still'
            'Start-StratoVm still -Paused'
            'Test-StratoVm still'
            'Restore-StratoSnapshot saved base -Force'
            'Copy-StratoVm saved -Snapshot base -Count 3'
            'Get-StratoHost'
            'Test-StratoHost'
        ) {
            $env:STRATO_ENGINE = $sleeper
            Stop-Pipeline $_
            $env:STRATO_ENGINE = $null
            (Get-StratoVm still, saved).State | Should -Be 'Stopped', 'Stopped'
        }
        It 'ends New-StratoSwitch' -Skip:((id -u) -ne 0) {
            # The one hangs that makes rules, or else the one that gives addresses; the one that takes rules away doesn't.
            Remove-Item "$folder/bin/nft"
            Set-Content "$folder/bin/nft" "#!/bin/sh`ncase `$* in *masquerade*) exec sleep 1000 ;; esac`n" -NoNewline
            & chmod +x "$folder/bin/nft"
            Stop-Pipeline 'New-StratoSwitch interrupted -Nat -Subnet 10.199.7.0/24'
            Stop-Pipeline 'New-StratoSwitch interrupted -Subnet 10.199.7.0/24'
            Get-StratoSwitch | Should -BeNullOrEmpty
            Test-Path /sys/class/net/st-interrupted | Should -BeFalse
        }
        It 'leaves a switch that can be removed where it can not be unmade at once' -Skip:((id -u) -ne 0) {
            Remove-Item "$folder/bin/nft"
            $null = New-Item -ItemType SymbolicLink "$folder/bin/nft" -Target $sleeper
            Stop-Pipeline "New-StratoSwitch (New-Guid) -Nat -Subnet 10.199.`$(Get-Random 250).0/24" -Moment 600
            Get-StratoSwitch | Should -Not -BeNullOrEmpty
            Remove-Item "$folder/bin/nft"
            Get-StratoSwitch | Remove-StratoSwitch -Force
            Get-StratoSwitch | Should -BeNullOrEmpty
        }
    }

    Context 'while much is written' {
        BeforeAll {
            # No hole in it, lest it be copied at once.
            $null = New-Item -ItemType Directory "$folder/large"
            & dd if=/dev/urandom of="$folder/large/disk.img" bs=1M count=1536 status=none
            $null = New-StratoVm large "$folder/tiny" -Memory 256MB
            Add-StratoDrive "$folder/large/disk.img" -VMName large
            $null = New-StratoVm wide "$folder/tiny" -Memory 8GB
            Start-StratoVm wide -AllowEmulation
        }

        It 'ends Copy-StratoVm -CopyDisk' {
            & cp --reflink=always "$folder/large/disk.img" "$folder/reflink" 2> $null
            if ($LASTEXITCODE -eq 0) {
                Set-ItResult -Skipped -Because 'this file system copies in no time'
                return
            }
            Remove-Item "$folder/reflink" -ErrorAction Ignore
            Stop-Pipeline 'Copy-StratoVm large copy -CopyDisk' -Moment 20, 100, 250
            (Get-ChildItem "$folder/large" -Force).Name | Should -Be 'disk.img'
        }
        It 'ends New-StratoGuestImage' {
            Stop-Pipeline 'New-StratoGuestImage large -Destination image -Kernel tiny -ModulePath ""' -Moment 20, 200, 600
            Get-ChildItem "$folder/image" -Force -ErrorAction Ignore | Should -BeNullOrEmpty
        }
        It 'ends Debug-StratoVm -DumpPath' {
            Stop-Pipeline 'Debug-StratoVm wide -DumpPath wide.core' -Moment 20, 100
            Test-Path "$folder/wide.core" | Should -BeFalse
            (Get-StratoVm wide).State | Should -Be 'Running'
        }
        It 'ends what reads the memory of a snapshot' {
            Save-StratoSnapshot wide base

            # What is no hole has to be read.
            & dd if=/dev/zero of="$((Get-StratoSnapshot wide base).Path)/memory" bs=1M count=4096 conv=notrunc status=none
            $process = (Get-StratoVm wide).ProcessId
            Stop-Pipeline 'Test-StratoSnapshot wide base' -Moment 20, 100
            Stop-Pipeline 'Restore-StratoSnapshot wide base -Verify -Force' -Moment 20, 100
            (Get-StratoVm wide).ProcessId | Should -Be $process
            Remove-StratoSnapshot wide base -Force
        }
        It 'ends what copies the disks of a snapshot' {
            & cp --reflink=always "$folder/large/disk.img" "$folder/reflink" 2> $null
            if ($LASTEXITCODE -eq 0) {
                Set-ItResult -Skipped -Because 'this file system copies in no time'
                return
            }
            Remove-Item "$folder/reflink" -ErrorAction Ignore
            Start-StratoVm large -AllowEmulation
            Save-StratoSnapshot large base -IncludeDisk
            $vm = Get-StratoVm large
            $disk = Get-Item "$folder/large/disk.img"
            $snapshots = "$folder/s/vms/$($vm.Id)/snapshots"
            $there = (Get-ChildItem $snapshots).Name
            Stop-Pipeline 'Save-StratoSnapshot large next -IncludeDisk' -Moment 20, 250
            Wait-Until { (Get-StratoVm large).State -eq 'Running' }
            Stop-Pipeline 'Restore-StratoSnapshot large base -Force' -Moment 20, 100, 250
            Stop-Pipeline 'Copy-StratoVm large -Snapshot base -NewName copy' -Moment 20, 100, 250
            Stop-Pipeline 'Copy-StratoVm large -Snapshot base -Count 3' -Moment 250
            Stop-Pipeline 'Export-StratoSnapshot large base exported-large' -Moment 20, 100, 250
            Get-ChildItem $folder -Force -Filter '*exported-large*' | Should -BeNullOrEmpty
            Get-ChildItem $folder -Force -Filter '.tmp*' | Should -BeNullOrEmpty
            Export-StratoSnapshot large base "$folder/exported-large"
            Stop-Pipeline 'Import-StratoSnapshot exported-large again -VMName large' -Moment 20, 100, 250
            (Get-ChildItem $snapshots -Force).Name | Should -Be $there
            (Get-ChildItem "$folder/large" -Force).Name | Should -Be 'disk.img'
            (Get-Item "$folder/large/disk.img").LastWriteTimeUtc | Should -Be $disk.LastWriteTimeUtc
            (Get-StratoVm large).ProcessId | Should -Be $vm.ProcessId
        }
    }
}
