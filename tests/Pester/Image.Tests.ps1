. "$PSScriptRoot/common.ps1"
BeforeDiscovery {
    $noTools = @('mke2fs', 'busybox' | Where-Object { -not (Get-Command $_, "/usr/sbin/$_" -ErrorAction Ignore) })
    $noKernel = -not (Test-Path "$RepoRoot/out/kernels/cloud-amd64/boot")
}
BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato
    $limit = $global:StratoTestHost.InLab ? 600 : 120
    $PSDefaultParameterValues['Start-StratoVm:AllowEmulation'] = $global:StratoTestHost.InLab
    $PSDefaultParameterValues['Invoke-StratoVm:AllowEmulation'] = $global:StratoTestHost.InLab
    $PSDefaultParameterValues['Invoke-StratoVm:Timeout'] = $limit
    . "$PSScriptRoot/images.ps1"
}

Describe 'A guest image' -Tag Engine -Skip:([bool]$noTools -or $noKernel) {
    BeforeAll {
        $folder = New-TestState
        New-OciArchive "$folder/web.oci.tar"
        Set-Location $folder
    }
    AfterAll { Set-Location $RepoRoot; Remove-TestState $folder }

    It 'is made of an OCI archive, and a file system check finds no fault' {
        $image = New-StratoGuestImage ./web.oci.tar ./image @kernel
        $image.Command[0] | Should -Be '/bin/sh'
        $image.Digest | Should -Match '^sha256:'
        (Get-ChildItem $image.Folder).Name | Sort-Object | Should -Be 'image.json', 'initrd.img', 'root.ext4', 'vmlinuz'
        & /usr/sbin/e2fsck -fn $image.Root 2>&1 | Out-Null
        $LASTEXITCODE | Should -Be 0
        & /usr/sbin/debugfs -R 'cat /srv/index.html' $image.Root 2>$null | Should -Be 'above'
        & /usr/sbin/debugfs -R 'stat /old' $image.Root 2>&1 | Out-String | Should -Match 'not found'
        $vm = $image | New-StratoVm web -Ephemeral | Add-StratoDrive $image.Root -PassThru
        $vm.Kernel, $vm.Initrd | Should -Be $image.Kernel, $image.Initrd
        $image | Format-List | Out-String | Should -Match 'Root\S* +: \S*root.ext4'
        Remove-StratoVm web -Force
        { New-StratoGuestImage ./web.oci.tar ./image @kernel -ErrorAction Stop } | Should -Throw -ErrorId 'FileExists,*'
    }
    It 'is not made of a damaged archive, and leaves nothing' {
        $bytes = [IO.File]::ReadAllBytes("$folder/web.oci.tar")
        $bytes[$bytes.Length / 2] = $bytes[$bytes.Length / 2] -bxor 0xff
        [IO.File]::WriteAllBytes("$folder/damaged.tar", $bytes)
        { New-StratoGuestImage ./damaged.tar ./none @kernel -ErrorAction Stop } | Should -Throw -ErrorId 'Image*'
        Get-ChildItem ./none -Force -ErrorAction Ignore | Should -BeNullOrEmpty
    }
}

Describe 'A command in a fresh VM' -Tag Kvm -Skip:([bool]$NoGuest -or [bool]$noTools -or $noKernel) {
    BeforeAll {
        $folder = New-TestState
        New-OciArchive "$folder/web.oci.tar"
        $image = New-StratoGuestImage "$folder/web.oci.tar" "$folder/image" @kernel
    }
    AfterAll { Remove-TestState $folder }
    AfterEach {
        Get-StratoVm | Should -BeNullOrEmpty
        Get-TestEngine $folder | Should -BeNullOrEmpty
        Get-ChildItem "$folder/s/vms", "$folder/r" -Force -ErrorAction Ignore | Should -BeNullOrEmpty
    }

    It 'has its output, its errors and its exit code, as the user and in the folder of the image' {
        $result = Invoke-StratoVm $image 'echo "$GREETING"; pwd; id -u; cat index.html; echo oops >&2; exit 7'
        $result.StandardOutput | Should -Be "hello world`n/srv`n1000`nabove"
        $result.StandardError | Should -Be "oops`n"
        $result.ExitCode | Should -Be 7
        $result.OutputTruncated | Should -BeFalse
    }
    It 'runs what the image names, and programs without a shell' {
        (Invoke-StratoVm $image).StandardOutput | Should -Be "from the image`n1000`n"
        $result = Invoke-StratoVm $image -FilePath echo -ArgumentList 'two words', '$HOME', "it's" -Environment @{ GREETING = 'x' }
        $result.StandardOutput, $result.ExitCode | Should -Be "two words `$HOME it's`n", 0
        $missing = Invoke-StratoVm $image -FilePath no-such-program
        $missing.ExitCode, $missing.StandardError | Should -Be 127, "strato-guest: no-such-program: not found`n"
    }
    It 'is run from the archive itself, kept, and quick the second time; much output comes whole' {
        $first = Invoke-StratoVm -Image "$folder/web.oci.tar" -Command 'dd if=/dev/zero bs=1024 count=3000 2>/dev/null; echo done >/dev/stderr' @kernel
        $first.GetOutputBytes().Length | Should -Be 3072000
        $first.StandardError | Should -Be "done`n"
        $kept = Get-ChildItem "$folder/s/images" -Directory
        (Invoke-StratoVm -Image "$folder/web.oci.tar" -Command 'echo again' @kernel).StandardOutput | Should -Be "again`n"
        (Get-ChildItem "$folder/s/images" -Directory).Name | Should -Be $kept.Name
    }
    It 'forgets what a run before wrote, and ends with what it left in the background' {
        (Invoke-StratoVm $image 'echo x >/tmp/new; ls /tmp; sleep 1000 & true').StandardOutput | Should -Be "new`n"
        (Invoke-StratoVm $image 'ls /tmp').StandardOutput | Should -BeNullOrEmpty
    }
    It 'that takes too long, or whose guest panics, is an error and gone' {
        { Invoke-StratoVm $image 'sleep 10000' -Timeout 60 -ErrorAction Stop } | Should -Throw -ErrorId 'CommandTimeout,*'
        $root = New-StratoGuestImage "$folder/web.oci.tar" "$folder/broken" @kernel
        [IO.File]::WriteAllBytes($root.Root, [byte[]]::new(1MB))
        { Invoke-StratoVm $root 'true' -ErrorAction Stop } | Should -Throw -ErrorId 'CommandLost,*' -ExpectedMessage "*can't be mounted*"
    }
    It 'ends with its shell, and with Ctrl-C' {
        $job = Start-ThreadJob { Import-Module $using:ModulePath; Invoke-StratoVm $using:image 'sleep 10000' -AllowEmulation }
        Wait-Until { Get-StratoVm | Where-Object State -EQ Running } -Seconds $limit -What 'the VM'
        $watch = [Diagnostics.Stopwatch]::StartNew()
        Stop-Job $job
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 10
        Remove-Job $job -Force
        $process = Start-Process ([Environment]::ProcessPath) -ArgumentList '-NoProfile', '-NonInteractive', '-c', "Import-Module '$ModulePath'; `$i = New-StratoGuestImage '$folder/web.oci.tar' '$folder/other' -Kernel '$($kernel.Kernel)' -ModulePath '$($kernel.ModulePath)'; Invoke-StratoVm `$i 'sleep 10000' -AllowEmulation" -PassThru
        Wait-Until { Get-StratoVm | Where-Object State -EQ Running } -Seconds $limit -What 'the VM of the other shell'
        $process.Kill()
        Wait-Until { -not (Get-TestEngine $folder) } -Seconds $limit -What 'the end of the guest whose shell was killed'
    }
}
