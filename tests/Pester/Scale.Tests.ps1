. "$PSScriptRoot/common.ps1"
BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato

    # The least of some tries, since load only adds.
    function Measure-Least([scriptblock] $Work) {
        $times = 1..5 | ForEach-Object { (Measure-Command $Work).TotalMilliseconds }
        ($times | Measure-Object -Minimum).Minimum
    }
}

Describe 'Many VMs that run' -Tag Slow -Skip:([bool]$NoEngine) {
    BeforeAll {
        $folder = New-TestState
        New-IdleKernel "$folder/idle"
        $count = 200
        # An idle guest touches a few pages only; its memory is no more than an address range.
        1..$count | ForEach-Object { New-StratoVm "n$_" "$folder/idle" -Memory 256MB -NoHotPlug }
        Get-StratoVm | Start-StratoVm -AllowEmulation -Timeout 600
    }
    AfterAll {
        Get-StratoVm | Stop-StratoVm -TurnOff
        Remove-TestState $folder
    }

    It 'are told within 500 ms' {
        $vms = Get-StratoVm
        $vms | Where-Object State -EQ Running | Should -HaveCount $count
        ($vms | Measure-Object MemoryResident -Maximum).Maximum | Should -BeLessThan 64MB
        $least = Measure-Least { Get-StratoVm }
        Write-Host ('    Get-StratoVm, {0} running: {1:N0} ms' -f $count, $least)
        $least | Should -BeLessThan 500
    }
    It 'are told within the same time and a second when one does not answer, which is asked beside the others' {
        $frozen = Get-StratoVm n7
        & /bin/kill -STOP $frozen.ProcessId
        try {
            $least = Measure-Least { $script:states = (Get-StratoVm).State }
        } finally { & /bin/kill -CONT $frozen.ProcessId }
        $states | Group-Object -NoElement | Sort-Object Name | ForEach-Object { "$($_.Name) $($_.Count)" } | Should -Be "Running $($count - 1)", 'Unresponsive 1'
        $least | Should -BeLessThan 1500
    }
}

Describe 'Many clones' -Tag Slow -Skip:([bool]$NoEngine) {
    BeforeAll {
        $folder = New-TestState
        # One that asks its serial port all the time would take the processors from the others.
        New-IdleKernel "$folder/idle"
        New-StratoVm web "$folder/idle" -Memory 256MB
        if (Test-Path /dev/vhost-vsock) { Add-StratoVsock -VMName web }
        Start-StratoVm web -AllowEmulation
        Save-StratoSnapshot web base
        Stop-StratoVm web -TurnOff -Force
    }
    AfterAll {
        Get-StratoVm | Stop-StratoVm -TurnOff -Force
        Remove-TestState $folder
    }

    It 'run soon after each other, each by itself, and share their memory' {
        $count = 100
        $clock = [System.Diagnostics.Stopwatch]::StartNew()
        $clones = Copy-StratoVm -Snapshot base -Count $count -ThrottleLimit 8 -PassThru | ForEach-Object {
            $_ | Add-Member At $clock.Elapsed.TotalSeconds -PassThru
        }
        $seconds = $clock.Elapsed.TotalSeconds
        $clones | Should -HaveCount $count
        $clones | Group-Object State -NoElement | ForEach-Object { "$($_.Name) $($_.Count)" } | Should -Be "Running $count"

        # Each as it runs, and not all in the end.
        $clones[0].At | Should -BeLessThan ($seconds / 4)
        $clones[$count / 2].At | Should -BeLessThan ($seconds * 0.8)
        foreach ($own in 'Name', 'Id', 'ProcessId', 'ConsoleLogPath') { $clones.$own | Sort-Object -Unique | Should -HaveCount $count }
        if (Test-Path /dev/vhost-vsock) { (Get-StratoVsock $clones.Name).GuestCid | Sort-Object -Unique | Should -HaveCount $count }
        $clones.Id | ForEach-Object { "$folder/r/$_/qmp.sock", "$folder/r/$_/console.sock" | Should -Exist }

        # Of pages that several have mapped, each counts its share.
        $pss = ($clones.ProcessId | ForEach-Object { [long]((Select-String -Path "/proc/$_/smaps_rollup" -Pattern '^Pss:\s+(\d+)').Matches[0].Groups[1].Value) } | Measure-Object -Sum).Sum * 1KB
        Write-Host ('    {0} clones: the first after {1:N2} s, all after {2:N2} s; {3:N0} MiB of memory, {4:N1} each' -f $count, $clones[0].At, $seconds, ($pss / 1MB), ($pss / 1MB / $count))
        $pss / $count | Should -BeLessThan 10MB

        # Each stands where its template stood.
        (Debug-StratoVm $clones.Name -Register).Rip | Sort-Object -Unique | ForEach-Object { '{0:x}' -f $_ } | Should -BeIn '1000001', '1000002'
    }
}

Describe 'Many VMs that are stopped' -Tag Slow {
    BeforeAll {
        $folder = New-TestState
        $count = 1000
        1..$count | ForEach-Object { New-StratoVm "n$_" "$folder/vmlinuz" -Memory 256MB }
    }
    AfterAll { Remove-TestState $folder }

    It 'go through a pipeline within 1 s' {
        Get-StratoVm | Should -HaveCount $count
        $least = Measure-Least { Get-StratoVm | Where-Object State -EQ Stopped | Sort-Object Memory, Name | ForEach-Object Name }
        Write-Host ('    {0} definitions through a pipeline: {1:N0} ms' -f $count, $least)
        $least | Should -BeLessThan 1000
        # By a shell that has read none before, too.
        $first = [double](Invoke-Pwsh "(Measure-Command { (Get-StratoVm | Where-Object State -EQ Stopped).Count }).TotalMilliseconds")
        Write-Host ('    the same in a new shell: {0:N0} ms' -f $first)
        $first | Should -BeLessThan 2000
    }
}
