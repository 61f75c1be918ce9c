. "$PSScriptRoot/common.ps1"

Describe 'Snapshots of a tiny guest' -Tag Engine -Skip:([bool]$NoEngine) {
    BeforeAll {
        . "$PSScriptRoot/common.ps1"
        Import-Strato
        $folder = New-TestState
        New-TinyKernel "$folder/tiny"
        [System.IO.File]::WriteAllBytes("$folder/d.img", [byte[]]::new(1MB))
        New-StratoVm a "$folder/tiny" -Memory 256MB | Add-StratoDrive "$folder/d.img"
        Start-StratoVm a -AllowEmulation
        Wait-StratoVm a -For Console -Match 'tiny guest' -Timeout 30
    }
    AfterAll {
        Get-StratoVm | Stop-StratoVm -TurnOff -Force
        Remove-TestState $folder
    }
    AfterEach { Get-StratoVm | Where-Object Name -notin a, h | Stop-StratoVm -TurnOff -Force -PassThru | Remove-StratoVm -Force -ErrorAction Ignore }

    It 'are saved while the guest goes on, as a tree' {
        Save-StratoSnapshot a base | Should -BeNullOrEmpty
        (Get-StratoVm a).State | Should -Be Running
        $next = Checkpoint-StratoVm a -IncludeDisk -PassThru
        $next.Name | Should -Match '^a - \('
        $next.ParentName | Should -Be base
        $next.Disks | Should -Be disk0
        $next.IsCurrent | Should -BeTrue
        # Zeros take no space.
        $next.Size | Should -BeLessThan 4MB
        $view = Get-StratoSnapshot a | Format-Table | Out-String
        $view | Should -Match 'a\s+base '
        $view | Should -Match 'a\s+└ a - \('
        $next | Rename-StratoSnapshot -NewName next
        (Get-StratoSnapshot a next).Depth | Should -Be 1
    }

    It 'go on where they were: no boot, and the guest answers' {
        $before = (Get-StratoVm a).ProcessId
        $vm = Restore-StratoSnapshot a base -Force -Verify -PassThru -WarningAction SilentlyContinue
        $vm.State | Should -Be Running
        $vm.ProcessId | Should -Not -Be $before
        Send-StratoConsole 'again' -VMName a -ExpectMatch 'again' -Timeout 30
        (Get-StratoConsole a) -join "`n" | Should -Not -Match 'tiny guest'
        (Get-StratoSnapshot a | Where-Object IsCurrent).Name | Should -Be base
    }

    It 'start a stopped VM, paused if wished, with its disk of then' {
        Stop-StratoVm a -TurnOff -Force
        [System.IO.File]::WriteAllBytes("$folder/d.img", [byte[]](, 7 * 1MB))
        (Restore-StratoSnapshot a next -Force -Paused -PassThru).State | Should -Be Paused
        [System.IO.File]::ReadAllBytes("$folder/d.img")[0] | Should -Be 0
        Resume-StratoVm a
        Send-StratoConsole 'third' -VMName a -ExpectMatch 'third' -Timeout 30
    }

    It 'are verified, and told of byte by byte' {
        Test-StratoSnapshot a | ForEach-Object Ok | Should -Be $true, $true
        Save-StratoSnapshot a bad
        $memory = "$((Get-StratoSnapshot a bad).Path)/memory"
        $file = [System.IO.File]::OpenWrite($memory)
        $file.Position = 9MB
        $file.WriteByte(1)
        $file.Dispose()
        $test = Test-StratoSnapshot a bad
        $test.Ok | Should -BeFalse
        $test.Faults | Should -Match 'mebibyte at 9,437,184'
        $before = (Get-StratoVm a).ProcessId
        Restore-StratoSnapshot a bad -Verify -Force -ErrorAction SilentlyContinue -ErrorVariable failed
        Get-ErrorId $failed[0] | Should -Be SnapshotDamaged
        (Get-StratoVm a).ProcessId | Should -Be $before
        Remove-StratoSnapshot a bad -Force
    }

    It 'are the beginning of many, which outlive them' {
        Save-StratoSnapshot a template -IncludeDisk
        $clones = Copy-StratoVm -Snapshot template -Count 4 -ThrottleLimit 2 -NameFormat 'c{0}' -PassThru
        $clones.Name | Should -Be c1, c2, c3, c4
        $clones.State | Should -Be Running, Running, Running, Running
        ($clones.Drives.Path | Select-Object -Unique).Count | Should -Be 4
        Remove-StratoSnapshot a template -Force
        foreach ($name in 'c1', 'c4') { Send-StratoConsole "hello $name" -VMName $name -ExpectMatch "hello $name" -Timeout 30 }
        $clones | Stop-StratoVm -TurnOff -Force
        Remove-StratoVm c* -Force
        Remove-Item "$folder/c*-disk0.img"
    }

    It 'give brief ones no disk, and nothing stays of them' {
        Save-StratoSnapshot a template -IncludeDisk
        Copy-StratoVm a -Snapshot template -Count 2 -NameFormat 'e{0}' -Ephemeral
        (Get-StratoVm e*).IsEphemeral | Should -Be $true, $true
        Send-StratoConsole 'brief' -VMName e2 -ExpectMatch 'brief' -Timeout 30
        Stop-StratoVm e* -TurnOff -Force
        Get-StratoVm e* | Should -BeNullOrEmpty
        Remove-StratoSnapshot a template -Force
    }

    It 'travel as folders, also into another VM, and from an engine of its own' {
        Export-StratoSnapshot a next "$folder/out"
        [System.IO.File]::WriteAllBytes("$folder/b.img", [byte[]]::new(1MB))
        $b = New-StratoVm b "$folder/tiny" -Memory 256MB | Add-StratoDrive "$folder/b.img" -PassThru
        $b | Import-StratoSnapshot "$folder/out" | Restore-StratoSnapshot -Force
        Send-StratoConsole 'from a' -VMName b -ExpectMatch 'from a' -Timeout 30
        # Each writes to a disk of its own.
        (Get-StratoDrive -VMName b).Path | Should -Be "$folder/b.img"
        Remove-Item "$folder/out/snapshot.json"
        (Import-StratoSnapshot "$folder/out" bare -VMName b).Name | Should -Be bare
        Restore-StratoSnapshot b bare -Force -WarningAction SilentlyContinue
        Send-StratoConsole 'bare' -VMName b -ExpectMatch 'bare' -Timeout 30
    }

    It 'leave nothing when they cannot be written, and the guest goes on' {
        $null = New-StratoVm k "$folder/tiny" -Memory 256MB
        # A limit on the length of the engine's files stands for a disk that is full. .NET's second map of its code is a long file, too.
        $env:DOTNET_EnableWriteXorExecute = 0
        & prlimit --fsize=16777216 ([System.Environment]::ProcessPath) -NoProfile -NonInteractive -c "Import-Module '$ModulePath'; Start-StratoVm k -AllowEmulation"
        $env:DOTNET_EnableWriteXorExecute = $null
        $id = (Get-StratoVm k).Id
        Save-StratoSnapshot k -ErrorAction SilentlyContinue -ErrorVariable failed
        Get-ErrorId $failed[0] | Should -Be SnapshotFailed
        "$failed" | Should -Match 'File too large'
        (Get-StratoVm k).State | Should -Be Running
        Send-StratoConsole 'still here' -VMName k -ExpectMatch 'still here' -Timeout 30
        Get-StratoSnapshot k | Should -BeNullOrEmpty
        Get-ChildItem -Force "$folder/s/vms/$id/snapshots" | Should -BeNullOrEmpty
    }

    Context 'while their disks are copied' {
        BeforeAll {
            # So large that the copy is met.
            & head -c 400M /dev/urandom > "$folder/large.img"
            $h = New-StratoVm h "$folder/tiny" -Memory 256MB | Add-StratoDrive "$folder/large.img" -PassThru | Start-StratoVm -AllowEmulation -PassThru
            $snapshots = "$folder/s/vms/$($h.Id)/snapshots"

            # A shell that stands still in the middle of it.
            function Start-Save {
                $shell = Start-Process ([System.Environment]::ProcessPath) '-NoProfile', '-NonInteractive', '-c', "Import-Module '$ModulePath'; Save-StratoSnapshot h held -IncludeDisk" -PassThru
                Wait-Until { [System.IO.Directory]::Exists($snapshots) -and [System.IO.Directory]::GetDirectories($snapshots, '.tmp-*').Where{ [System.IO.Directory]::Exists("$_/snapshot/disks") } } -What 'the copy' -Milliseconds 1
                & /bin/kill -STOP $shell.Id
                (Get-StratoVm h).State | Should -Be Paused
                $shell
            }
        }
        AfterAll { Stop-StratoVm h -TurnOff -Force; Remove-StratoVm h -Force; Remove-Item "$folder/large.img" }

        It 'hold the VM for as long as their shell lives' {
            $shell = Start-Save
            Resume-StratoVm h -ErrorAction SilentlyContinue -ErrorVariable failed
            "$failed" | Should -Match 'is being saved'
            (Get-StratoVm h).State | Should -Be Paused
            & /bin/kill -KILL $shell.Id
            Wait-Until { (Get-StratoVm h).State -eq 'Running' } -What 'the VM, which goes on'
            Get-StratoSnapshot h | Should -BeNullOrEmpty
            Save-StratoSnapshot h next
            Get-ChildItem -Force $snapshots -Filter '.*' | Should -BeNullOrEmpty
        }
        It 'leave a VM paused that was suspended meanwhile' {
            $shell = Start-Save
            Suspend-StratoVm h
            & /bin/kill -CONT $shell.Id
            $shell.WaitForExit()
            (Get-StratoSnapshot h held).Disks | Should -Be disk0
            (Get-StratoVm h).State | Should -Be Paused
            Resume-StratoVm h
            Send-StratoConsole 'held' -VMName h -ExpectMatch 'held' -Timeout 30
        }
    }

    It 'are what Remove-StratoVm tells of' {
        New-StratoVm r "$folder/tiny" -Memory 256MB | Start-StratoVm -AllowEmulation
        Save-StratoSnapshot r one
        Save-StratoSnapshot r two
        Rename-StratoVm r r2
        (Get-StratoSnapshot r2).Name | Should -Be one, two
        Stop-StratoVm r2 -TurnOff -Force
        $path = (Get-StratoVm r2).Path
        Remove-StratoVm r2 -Force
        $path | Should -Not -Exist
    }
}

Describe 'Snapshots of a Debian guest' -Tag Kvm -Skip:([bool]$NoAgent) {
    BeforeAll {
        . "$PSScriptRoot/common.ps1"
        Import-Strato
        $limit = $global:StratoTestHost.InLab ? 600 : 60
        $folder = New-TestState
        & cp --sparse=always "$GuestFolder/debian.ext4" "$folder/root.ext4"
        $vm = New-StratoVm web "$GuestFolder/vmlinuz" -Initrd "$GuestFolder/initrd.img" -Memory 512MB -CommandLine 'console=ttyS0 root=/dev/vda rw' -GuestAgent
        $vm | Add-StratoDrive "$folder/root.ext4"
        $vm | Start-StratoVm -PassThru | Wait-StratoVm -For GuestAgent -Timeout $limit
    }
    AfterAll {
        Get-StratoVm | Stop-StratoVm -TurnOff -Force
        Remove-TestState $folder
    }

    It 'come back with memory, files and the time of now' {
        Invoke-StratoGuestCommand 'echo first > /root/word; sync; sleep 100000 >/dev/null 2>&1 </dev/null & echo $! > /run/sleeper' -VMName web -Timeout $limit
        Save-StratoSnapshot web base -IncludeDisk
        Invoke-StratoGuestCommand 'echo second > /root/word; sync; kill $(cat /run/sleeper)' -VMName web -Timeout $limit
        Restore-StratoSnapshot web base -Force -Verify
        Wait-StratoVm web -For GuestAgent -Timeout $limit
        (Invoke-StratoGuestCommand 'cat /root/word; kill -0 $(cat /run/sleeper) && echo alive' -VMName web -Timeout $limit).StandardOutput | Should -Be "first`nalive`n"
        $there = [long](Invoke-StratoGuestCommand 'date +%s' -VMName web -Timeout $limit).StandardOutput
        [math]::Abs([DateTimeOffset]::UtcNow.ToUnixTimeSeconds() - $there) | Should -BeLessThan 10
    }

    It 'make clones that answer, each on a disk of its own' {
        $clones = Copy-StratoVm web -Snapshot base -Count 2 -Ephemeral -PassThru
        $clones | Wait-StratoVm -For GuestAgent -Timeout $limit
        Invoke-StratoGuestCommand 'hostname > /root/word; cat /root/word' -VMName $clones.Name -Timeout $limit | ForEach-Object ExitCode | Should -Be 0, 0
        $clones | Stop-StratoVm -TurnOff -Force
    }
}
