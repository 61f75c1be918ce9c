# Runs every example of docs/cmdlets as it is printed. Beneath its heading an example may say in a comment of markdown what it needs:
#   given: CODE     runs before it. Without one there is a stopped VM "web", unless the example makes it
#   guest: CODE     as given, and it needs the shared Debian guest, the running VM "web": in the lab, where stock guests run
#   lab: CODE       as guest, and it changes the host, so it runs in the virtual KVM host alone
#   left: REASON    what it needs is nowhere here, so no test runs it
#   until: CODE     the example doesn't end by itself: it runs in a job, CODE runs every now and then until the job has written
#                   something, and the job is stopped
#   then: CODE      runs after it and holds it to what it promises; $out is what the example wrote
#   terminal: KEYS  the example needs a terminal; KEYS are typed when the console is there
# $env:STRATO_EXAMPLE, a pattern such as "Get-StratoVm Example 2*", leaves out the others. CODE may go over several lines. The folder has ./vmlinuz (a tiny guest), ./initrd.img, ./root.ext4 and the like; /srv is below it.
. "$PSScriptRoot/common.ps1"
BeforeDiscovery {
    $examples = foreach ($file in Get-ChildItem "$RepoRoot/docs/cmdlets/*.md") {
        foreach ($match in [regex]::Matches((Get-Content -Raw $file), '(?ms)^### (?<title>Example \d+[^\n]*)\n(<!--(?<trial>.*?)-->\n)?```powershell\n(?<code>.*?)\n```')) {
            $trial = @{ given = $null; guest = $null; lab = $null; left = $null; until = $null; then = $null; terminal = $null }
            foreach ($line in $match.Groups['trial'].Value -split '\n') {
                if ($line -match '^\s*(given|guest|lab|left|until|then|terminal):\s?(.*)$') {
                    $word = $Matches[1]
                    $trial[$word] = $Matches[2]
                }
                elseif ($line.Trim()) {
                    if (-not $word) { throw "$($file.Name), $($match.Groups['title']): '$line' belongs to no word; words are given, guest, lab, left, until, then, terminal." }
                    $trial[$word] += "`n$line"
                }
            }
            $word = $null
            @{ Name = "$($file.BaseName) $($match.Groups['title'])"; Code = $match.Groups['code'].Value; Trial = $trial }
        }
    }
    if ($env:STRATO_EXAMPLE) { $examples = $examples | Where-Object Name -Like $env:STRATO_EXAMPLE }
    $own = $examples | Where-Object { $null -eq $_.Trial.guest -and $null -eq $_.Trial.lab }
    $shared = $examples | Where-Object { $null -ne $_.Trial.guest }
    $changing = $examples | Where-Object { $null -ne $_.Trial.lab }
}

BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato
    $defaults = @{ 'Start-StratoVm:AllowEmulation' = $true; 'Invoke-StratoVm:AllowEmulation' = $true }
    foreach ($key in $defaults.Keys) { $PSDefaultParameterValues[$key] = $defaults[$key] }
    # What an example can't have here: other machines' disks and programs that change the host.
    function sudo { & $args[0] @($args | Select-Object -Skip 1) }
    function ip { }
    function screen { Test-Path $args[0] | Should -BeTrue }

    function Get-Here([string] $Code) {
        $Code -creplace '(?<=^|[\s''",(])/srv/', './srv/' -replace '/dev/nvme0n1p3', './nvme0n1p3' -replace '/dev/hwrng', '/dev/urandom'
    }

    function Invoke-Example($Code, $Trial) {
        $ConfirmPreference = 'None'
        $text = Get-Here $Code
        foreach ($before in $Trial.given, $Trial.guest, $Trial.lab) {
            if ($before) { $null = . ([scriptblock]::Create($before)) }
        }
        if ($null -ne $Trial.terminal) {
            $out = Invoke-Typed $text $Trial.terminal
        }
        elseif ($null -ne $Trial.until) {
            $job = Start-ThreadJob {
                $ErrorActionPreference = 'Stop'
                Set-Location $using:PWD
                Import-Module $using:ModulePath
                $PSDefaultParameterValues['Start-StratoVm:AllowEmulation'] = $true
                . ([scriptblock]::Create($using:text))
            }
            $limit = [datetime]::UtcNow.AddSeconds(60)
            while (-not $job.Output.Count -and $job.State -in 'NotStarted', 'Running') {
                if ([datetime]::UtcNow -gt $limit) { Stop-Job $job; throw 'it wrote nothing' }
                if ($Trial.until) { $null = . ([scriptblock]::Create($Trial.until)) }
                $null = Wait-Job $job -Timeout 1
            }
            $job.Output.Count | Should -BeGreaterThan 0 -Because "it wrote: $($job.Error)"
            Stop-Job $job
            $out = @($job.Output)
            Remove-Job $job
        }
        else {
            $out = @(. ([scriptblock]::Create($text)))
        }
        if ($Trial.then) { . ([scriptblock]::Create((Get-Here $Trial.then))) }
    }

    # script(1) is a terminal that no one looks at; a pipe holds the keys back until the console says how it is left.
    function Invoke-Typed([string] $Code, [string] $Keys) {
        $log = "$PWD/terminal.log"
        Set-Content "$PWD/terminal.ps1" "Import-Module '$ModulePath'; `$PSDefaultParameterValues['Start-StratoVm:AllowEmulation'] = `$true; $Code"
        $start = [System.Diagnostics.ProcessStartInfo]::new('script', [string[]]('-qfec', "$([System.Environment]::ProcessPath) -NoProfile -File $PWD/terminal.ps1", $log))
        $start.RedirectStandardInput = $true
        $start.RedirectStandardOutput = $true
        $process = [System.Diagnostics.Process]::Start($start)
        $null = $process.StandardOutput.BaseStream.CopyToAsync([System.IO.Stream]::Null)
        Wait-Until { (Get-Content -Raw $log -ErrorAction Ignore) -match 'Ctrl-\] leaves' } -Seconds 60
        $process.StandardInput.Write([regex]::Unescape($Keys))
        $process.StandardInput.Flush()
        if (-not $process.WaitForExit(30000)) { $process.Kill($true); throw "it didn't end: $(Get-Content -Raw $log)" }
        $process.ExitCode | Should -Be 0
        Get-Content -Raw $log
    }
}

Describe 'An example' -Tag Engine -Skip:([bool]$NoEngine) {
    BeforeEach {
        $folder = New-TestState
        Push-Location $folder
        $null = New-Item -ItemType Directory src, src-2, srv, srv/www, srv/data, srv/disks, srv/old, srv/new
        New-TinyKernel "$folder/vmlinuz"
        foreach ($file in 'initrd.img', 'root.ext4', 'data.img', 'scratch.img', 'golden.ext4', 'nvme0n1p3') {
            $stream = [System.IO.File]::Create("$folder/$file")
            $stream.SetLength(1MB)
            $stream.Dispose()
        }
    }
    AfterEach {
        Get-Job | Remove-Job -Force
        Get-StratoVm -ErrorAction Ignore | Where-Object ProcessId | ForEach-Object { & /bin/kill -CONT $_.ProcessId }
        Get-StratoVm -ErrorAction Ignore | Stop-StratoVm -TurnOff -Force
        Pop-Location
        Remove-TestState $folder
    }

    It '<Name>' -ForEach $own {
        if ($Trial.left) { Set-ItResult -Skipped -Because $Trial.left; return }
        if ($null -eq $Trial.given -and $Code -notmatch 'New-StratoVm (-Name )?web\b') { $null = New-StratoVm web ./vmlinuz -Memory 256MB }
        Invoke-Example $Code $Trial
    }
}

Describe 'An example with a guest' -Tag Kvm -Skip:([bool]$NoAgent) {
    BeforeAll {
        $limit = $global:StratoTestHost.InLab ? 600 : 60
        $folder = New-TestState
        Push-Location $folder
        Copy-Item "$GuestFolder/vmlinuz", "$GuestFolder/initrd.img" .
        foreach ($file in 'data.img', 'scratch.img') {
            $stream = [System.IO.File]::Create("$folder/$file")
            $stream.SetLength(1MB)
            $stream.Dispose()
        }
        . "$PSScriptRoot/images.ps1"
        # Debian's qemu-guest-agent with Debian's libraries, without Debian's minutes of systemd on a software CPU.
        $script = @'
modprobe ext4; mkdir -p /debian /data; mount -t ext4 -o ro,noload /dev/vda /debian
for d in tmp run var; do mount -t tmpfs none /debian/$d; done; for d in dev proc sys; do mount --bind /$d /debian/$d; done
ip addr add 10.9.8.7/24 dev lo; ip link set lo up
p=$(basename $(dirname $(grep -lx org.qemu.guest_agent.0 /sys/class/virtio-ports/*/name)))
chroot /debian qemu-ga -m virtio-serial -p /dev/$p -t /run -f /run/qga.pid -d
'@
        $line = 'console=ttyS0 reboot=k panic=-1 quiet strato.run=base64:' + [System.Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes($script))
        # "web" as examples know it: it runs, its agent answers, a log-in waits on its console.
        function Get-Guest {
            if (-not (Get-StratoVm web -ErrorAction Ignore)) {
                New-StratoVm web ./vmlinuz -Initrd ./initrd.img -CommandLine $line -Memory 768MB -MaximumCpu 4 -GuestAgent |
                    Add-StratoDrive "$GuestFolder/debian.ext4" -ReadOnly -Id debian -PassThru | Add-StratoBalloon
            }
            if ((Get-StratoVm web).State -eq 'Stopped') { Start-StratoVm web }
            if ((Get-StratoVm web).State -eq 'Paused') { Resume-StratoVm web }
            Wait-StratoVm web -For GuestAgent -Timeout $limit
            Wait-StratoVm web -For Console -Match 'login:' -Timeout $limit
        }
    }
    AfterAll {
        Get-StratoVm | Stop-StratoVm -TurnOff -Force
        Pop-Location
        Remove-TestState $folder
    }
    BeforeEach { Get-Guest }

    It '<Name>' -ForEach $shared {
        Invoke-Example $Code $Trial
    }
}

Describe 'An example that changes the host' -Tag Kvm -Skip:($env:STRATO_IN_LAB -ne 'virtual') {
    BeforeEach {
        $folder = New-TestState
        Push-Location $folder
        New-TinyKernel "$folder/vmlinuz"
    }
    AfterEach {
        Get-StratoVm | Stop-StratoVm -TurnOff -Force
        Get-StratoSwitch | Remove-StratoSwitch -Force
        Pop-Location
        Remove-TestState $folder
        Get-StratoHugePage | Set-StratoHugePage -Count 0
    }

    It '<Name>' -ForEach $changing {
        Invoke-Example $Code $Trial
    }
}
