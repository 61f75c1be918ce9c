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
