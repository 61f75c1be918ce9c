# Dot-sourced at the top of every test file (discovery needs it for -Skip) and in its BeforeAll.
$ErrorActionPreference = 'Stop'

$RepoRoot = (Resolve-Path (Join-Path $PSScriptRoot '../..')).Path
$ModulePath = $env:STRATO_MODULE ? $env:STRATO_MODULE : (Join-Path $RepoRoot 'out/Strato/Strato.psd1')
$EnginePath = $env:STRATO_ENGINE ? $env:STRATO_ENGINE : (Join-Path (Split-Path $ModulePath) 'bin/strato-engine')
$GuestFolder = Join-Path $RepoRoot 'out/guest'

# What this host has. Asked once a process: the probe takes a while where KVM emulates.
if (-not $global:StratoTestHost) {
    $probe = if (Test-Path $EnginePath) { & $EnginePath -probe 2>$null | ConvertFrom-Json }
    $global:StratoTestHost = [pscustomobject]@{
        Engine = [bool](Test-Path $EnginePath)
        Kvm    = $probe ? $probe.verdict : 'unknown'
        Reason = $probe ? $probe.reason : 'there is no engine; ./build.sh build makes it'
        Guest  = [bool]((Test-Path "$GuestFolder/vmlinuz") -and (Test-Path "$GuestFolder/initrd.img"))
        InLab  = [bool]$env:STRATO_IN_LAB
    }
}

# For -Skip: why tests of that kind are left out here, or nothing. The lab is where guests run, however slow its probe finds it
# while the machine is busy.
$NoEngine = switch ($global:StratoTestHost) {
    { -not $_.Engine } { 'the engine is not built'; break }
    { $_.Kvm -notin 'usable', 'emulated' } { "KVM is $($_.Kvm): $($_.Reason)"; break }
}
$NoGuest = switch ($global:StratoTestHost) {
    { -not $_.Engine } { 'the engine is not built'; break }
    { $_.Kvm -ne 'usable' -and -not $_.InLab } { "KVM is $($_.Kvm): stock guests don't run here; tests/Lab/lab is a host where they do"; break }
    { -not $_.Guest } { 'there is no guest image; ./build.sh guest makes it'; break }
}

$NoAgent = $NoGuest ? $NoGuest : (Test-Path "$GuestFolder/debian.ext4") ? $null : 'there is no Debian root; ./build.sh guest debian makes it'

function Import-Strato { Import-Module $ModulePath -Force }

# A store and a runtime folder of its own, below a short path: a unix socket's path has at most 108 bytes.
function New-TestState {
    $folder = "/tmp/st$PID-$([System.IO.Path]::GetRandomFileName().Substring(0, 4))"
    $null = New-Item -ItemType Directory $folder
    $env:STRATO_STATE = "$folder/s"
    $env:STRATO_RUNTIME = "$folder/r"
    Set-Content "$folder/vmlinuz" ('k' * 512) -NoNewline
    $folder
}

# The engines of a test's state folder.
function Get-TestEngine([string] $Folder) {
    Get-ChildItem /proc -Directory | Where-Object Name -Match '^\d+$' | ForEach-Object {
        $line = try { [System.IO.File]::ReadAllText("$_/cmdline") } catch { '' }
        if ($line -like "*strato-engine*" -and $line.Contains("$Folder/")) { [int]$_.Name }
    }
}

# Fails when a test left an engine behind, after ending it.
function Remove-TestState([string] $Folder) {
    $left = @(Get-TestEngine $Folder)
    $left | ForEach-Object { & /bin/kill -CONT $_; & /bin/kill -KILL $_ }
    Remove-Item -Recurse -Force $Folder
    Remove-Item env:STRATO_STATE, env:STRATO_RUNTIME
    if ($left) { throw "these engines were left: $left" }
}

# The id of an error, without the class that wrote it.
function Get-ErrorId($Record) { ($Record.FullyQualifiedErrorId -split ',')[0] }

# Runs a command line in another pwsh that has the module, and returns what it wrote.
function Invoke-Pwsh([string] $Script) {
    & ([System.Environment]::ProcessPath) -NoProfile -NonInteractive -c "Import-Module '$ModulePath'; $Script" 2>&1
}

# Waits for what another process brings about; no event tells of it.
function Wait-Until([scriptblock] $Condition, [int] $Seconds = 30, [string] $What = $Condition, [int] $Milliseconds = 100) {
    $end = [datetime]::UtcNow.AddSeconds($Seconds)
    while (-not (& $Condition)) {
        if ([datetime]::UtcNow -gt $end) { throw "not within $Seconds s: $What" }
        Start-Sleep -Milliseconds $Milliseconds
    }
}

# A kernel that needs no stock host: prints "tiny guest", then echoes what is typed; Ctrl-R resets the machine. It polls the
# serial port, so it runs (slowly) where KVM only emulates, too.
function New-TinyKernel([string] $Path) {
    [byte[]] $code = @(
        0x48, 0x8d, 0x35, 0x25, 0, 0, 0     #       lea rsi, [rip + text]
        0x66, 0xba, 0xf8, 0x03              # next: mov dx, 0x3f8         (ttyS0's data)
        0xac                                #       lodsb
        0x84, 0xc0                          #       test al, al
        0x74, 0x03                          #       jz poll
        0xee                                #       out dx, al
        0xeb, 0xf8                          #       jmp next + 4
        0x66, 0xba, 0xfd, 0x03              # poll: mov dx, 0x3fd         (line status)
        0xec                                #       in al, dx
        0xa8, 0x01                          #       test al, 1
        0x74, 0xf7                          #       jz poll
        0x66, 0xba, 0xf8, 0x03              #       mov dx, 0x3f8
        0xec                                #       in al, dx
        0xee                                #       out dx, al
        0x3c, 0x12                          #       cmp al, 0x12          (Ctrl-R)
        0x75, 0xed                          #       jne poll
        0xb0, 0xfe                          #       mov al, 0xfe
        0xe6, 0x64                          #       out 0x64, al          (the i8042's reset)
        0xeb, 0xe7                          #       jmp poll
    ) + [System.Text.Encoding]::ASCII.GetBytes("tiny guest`r`n`0")
    New-ElfKernel $Path $code
}

# A kernel that sleeps for ever, and takes no processor's time.
function New-IdleKernel([string] $Path) {
    # cli; next: hlt; jmp next
    New-ElfKernel $Path 0xfa, 0xf4, 0xeb, 0xfd
}

# An ELF file of one segment, which is entered in long mode.
function New-ElfKernel([string] $Path, [byte[]] $Code) {
    $entry = 0x1000000
    $file = [System.IO.MemoryStream]::new()
    $w = [System.IO.BinaryWriter]::new($file)
    # Elf64_Ehdr, one Elf64_Phdr, and the code at file offset 0x1000.
    $w.Write([byte[]](0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    $w.Write([uint16]2); $w.Write([uint16]62); $w.Write([uint32]1)
    $w.Write([uint64]$entry); $w.Write([uint64]64); $w.Write([uint64]0); $w.Write([uint32]0)
    $w.Write([uint16]64); $w.Write([uint16]56); $w.Write([uint16]1); $w.Write([uint16]0); $w.Write([uint16]0); $w.Write([uint16]0)
    $w.Write([uint32]1); $w.Write([uint32]5); $w.Write([uint64]0x1000); $w.Write([uint64]$entry); $w.Write([uint64]$entry)
    $w.Write([uint64]$code.Length); $w.Write([uint64]$code.Length); $w.Write([uint64]0x1000)
    $w.Write([byte[]]::new(0x1000 - $file.Length))
    $w.Write($code)
    [System.IO.File]::WriteAllBytes($Path, $file.ToArray())
}
