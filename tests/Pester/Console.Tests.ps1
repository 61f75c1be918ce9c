. "$PSScriptRoot/common.ps1"
BeforeDiscovery {
    $noTerminal = $NoEngine ? $NoEngine : ((Get-Command tmux -ErrorAction Ignore) ? $null : 'tmux is not installed')
}
BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato
}

# The real PowerShell in a real terminal, typed into from outside.
Describe 'Enter-StratoConsole' -Tag Engine -Skip:([bool]$noTerminal) {
    BeforeAll {
        $folder = New-TestState
        New-TinyKernel "$folder/tiny"
        $null = New-StratoVm tiny "$folder/tiny" -Memory 256MB
        Start-StratoVm tiny -AllowEmulation
        $tmux = '-S', "$folder/tmux"
        & tmux @tmux new-session -d -x 100 -y 30 ([System.Environment]::ProcessPath) -NoProfile -NoLogo -NoExit -c "Import-Module '$ModulePath'; 'pwsh ' + 'is up'"
        function Screen { (& tmux @tmux capture-pane -p) -join "`n" }
        function Press { & tmux @tmux send-keys @args }
        Wait-Until { (Screen) -match 'pwsh is up' } -Seconds 60
    }
    AfterAll {
        & tmux @tmux kill-server
        Stop-StratoVm tiny -TurnOff
        Remove-TestState $folder
    }

    It 'types what is typed and shows what the guest prints' {
        Press 'Enter-StratoConsole tiny' Enter
        Wait-Until { (Screen) -match 'Ctrl-\] leaves' }
        Press 'abc'
        Wait-Until { (Get-StratoConsole tiny -Tail 1) -match 'abc' }
        Wait-Until { (Screen) -match '(?m)^abc' }
    }
    It 'is left by Ctrl-], and the VM and the shell go on' {
        Press 'C-]'
        Wait-Until { (Screen) -match 'Left the console' }
        (Get-StratoVm tiny).State | Should -Be 'Running'
        Press "'back ' + 'again'" Enter
        Wait-Until { (Screen) -match 'back again' }
    }
    It 'has one keyboard, which can be taken' {
        Press 'Enter-StratoConsole tiny' Enter
        Wait-Until { (Screen) -match "(?s)again.*Ctrl-\] leaves" }
        { Send-StratoConsole 'x' -VMName tiny -ErrorAction Stop } | Should -Throw -ErrorId 'ConsoleBusy,*'
        Send-StratoConsole 'taken' -VMName tiny -Take -ExpectMatch 'taken' -Timeout 20
        Wait-Until { (Screen) -match 'took the keyboard' }
    }
    It 'ends when the VM ends' {
        Press 'Enter-StratoConsole tiny' Enter
        Wait-Until { (Screen) -match "(?s)took.*Ctrl-\] leaves" }
        Stop-StratoVm tiny -TurnOff
        Wait-Until { (Screen) -match 'has ended' }
        Start-StratoVm tiny -AllowEmulation
    }
    It 'asks before a VM is turned off by hand, and not in scripts' {
        Press 'cls; Stop-StratoVm tiny -TurnOff' Enter
        Wait-Until { (Screen) -match 'Turn it off\?' }
        Press 'n' Enter
        Press "'asked ' + 'once'" Enter
        Wait-Until { (Screen) -match 'asked once' }
        (Get-StratoVm tiny).State | Should -Be 'Running'
        Press 'Stop-StratoVm tiny -TurnOff -Force' Enter
        Wait-StratoVm tiny -For Stopped -Timeout 30
        Start-StratoVm tiny -AllowEmulation
    }
    It 'can be interrupted by Ctrl-C while it waits' {
        Press 'cls; Wait-StratoVm tiny -Match never' Enter
        Wait-Until { (Screen) -match 'Waiting for' }
        Press 'C-c'
        Press "'prompt ' + 'back'" Enter
        Wait-Until { (Screen) -match 'prompt back' }
        (Get-StratoVm tiny).State | Should -Be 'Running'
    }
    It 'is left by Ctrl-] also where the guest reads nothing' {
        Suspend-StratoVm tiny
        Press 'cls; Enter-StratoConsole tiny' Enter
        Wait-Until { (Screen) -match 'Ctrl-\] leaves' }
        # More than the sockets take.
        [System.IO.File]::WriteAllText("$folder/paste", 'x' * 600KB)
        & tmux @tmux load-buffer "$folder/paste"
        & tmux @tmux paste-buffer
        Press 'C-]'
        Wait-Until { (Screen) -match 'Left the console' }
        Press "'freed ' + 'again'" Enter
        Wait-Until { (Screen) -match 'freed again' }
    }
}
