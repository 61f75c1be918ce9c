. "$PSScriptRoot/common.ps1"
BeforeDiscovery {
    $noPasst = -not (Get-Command passt -ErrorAction Ignore) -or -not (ip route show default)
}
BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato
    $limit = $global:StratoTestHost.InLab ? 600 : 60
    $PSDefaultParameterValues['Start-StratoVm:AllowEmulation'] = $global:StratoTestHost.InLab -or $global:StratoTestHost.Kvm -eq 'emulated'
    function Get-FreePort {
        $listener = [Net.Sockets.TcpListener]::new([Net.IPAddress]::Loopback, 0)
        $listener.Start()
        $listener.LocalEndpoint.Port
        $listener.Stop()
    }
    function Get-StateFile { Get-ChildItem "$folder/s/vms", "$folder/r" -Force -ErrorAction Ignore }
}

Describe 'An ephemeral VM' -Tag Engine -Skip:([bool]$NoEngine) {
    BeforeAll {
        $folder = New-TestState
        New-TinyKernel "$folder/tiny"
    }
    BeforeEach { $vm = New-StratoVm once "$folder/tiny" -Memory 256MB -Ephemeral }
    AfterEach {
        Get-StratoVm | Stop-StratoVm -TurnOff
        Get-StratoVm | Remove-StratoVm -Force
    }
    AfterAll { Remove-TestState $folder }

    It 'stays as long as it has not run' {
        $vm.IsEphemeral | Should -BeTrue
        $vm | Stop-StratoVm
        (Get-StratoVm once).State | Should -Be 'Stopped'
        $vm | Format-List | Out-String | Should -Match 'IsEphemeral\S* +: \S*True'
    }
    It 'is gone when it is stopped, with all its files' {
        $stopped = $vm | Start-StratoVm -PassThru | Stop-StratoVm -TurnOff -PassThru
        $stopped.State, $stopped.Name | Should -Be 'Stopped', 'once'
        Get-StateFile | Should -BeNullOrEmpty
        { Get-StratoVm once -ErrorAction Stop } | Should -Throw -ErrorId 'VmNotFound,*'
    }
    It 'is gone for the next command when its engine was killed' {
        $running = $vm | Start-StratoVm -PassThru
        & /bin/kill -KILL $running.ProcessId
        Wait-Until { -not (Get-Process -Id $running.ProcessId -ErrorAction Ignore) } -What 'the end of the engine'
        Get-StratoVm | Should -BeNullOrEmpty
        Get-StateFile | Should -BeNullOrEmpty
        (New-StratoVm once "$folder/tiny" -Memory 256MB -Ephemeral).Name | Should -Be 'once'
    }
    It 'is gone for another shell when the one that started it has gone' {
        Invoke-Pwsh 'Start-StratoVm once -AllowEmulation'
        & /bin/kill -KILL (Get-StratoVm once).ProcessId
        Wait-Until { -not (Get-StratoVm) } -What 'the removal'
        Get-StateFile | Should -BeNullOrEmpty
    }
    It 'outlives a restart and a reset' {
        $first = $vm | Start-StratoVm -PassThru
        (Restart-StratoVm once -Reset -PassThru).ProcessId | Should -Be $first.ProcessId
        $second = Restart-StratoVm once -TurnOffAfter 0 -PassThru
        $second.State | Should -Be 'Running'
        $second.ProcessId | Should -Not -Be $first.ProcessId
        (Get-StratoVm once).State | Should -Be 'Running'
    }
    It 'has its disks with other VMs at the same time, and writes to none' {
        $null = New-StratoDisk "$folder/shared.img" 1MB
        $null = New-StratoVm other "$folder/tiny" -Memory 256MB -Ephemeral
        Get-StratoVm | Add-StratoDrive "$folder/shared.img"
        (Get-StratoDrive -VMName once).Snapshot | Should -BeTrue
        { Add-StratoDrive "$folder/shared.img" -VMName once -Snapshot:$false -ErrorAction Stop } | Should -Throw -ErrorId 'EphemeralDrive,*'
        Start-StratoVm once, other
        (Get-StratoVm).State | Should -Be 'Running', 'Running'
        $null = New-StratoDisk "$folder/later.img" 1MB
        Add-StratoDrive "$folder/later.img" -VMName once, other
        (Get-StratoDrive -VMName once, other | Where-Object Path -Like '*later*').Snapshot | Should -Be $true, $true
    }
}

Describe 'A published port' -Tag Engine -Skip:([bool]$NoEngine -or $noPasst) {
    BeforeAll {
        $folder = New-TestState
        New-TinyKernel "$folder/tiny"
    }
    BeforeEach {
        $port = Get-FreePort
        $null = New-StratoVm web "$folder/tiny" -Memory 256MB -Ephemeral
    }
    AfterEach {
        Get-StratoVm | Stop-StratoVm -TurnOff
        Get-StratoVm | Remove-StratoVm -Force
    }
    AfterAll { Remove-TestState $folder }

    It 'is open while the VM runs' {
        Add-StratoNetworkAdapter -VMName web -Publish "127.0.0.1:${port}:80", "$(Get-FreePort):53/udp"
        (Get-StratoNetworkAdapter -VMName web).Publish[0] | Should -Be "127.0.0.1:${port}:80"
        Start-StratoVm web
        $client = [Net.Sockets.TcpClient]::new('127.0.0.1', $port)
        $client.Connected | Should -BeTrue
        $client.ReceiveTimeout = 20000
        Stop-StratoVm web -TurnOff
        # The kernel closes the connection when passt has gone.
        $end = try { $client.GetStream().ReadByte() } catch { "$_" }
        $end | Should -Match '^-1$|reset'
        $client.Dispose()
    }
    It 'that is taken is named, and the VM is not started' {
        $listener = [Net.Sockets.TcpListener]::new([Net.IPAddress]::Loopback, $port)
        $listener.Start()
        Add-StratoNetworkAdapter -VMName web -Publish "${port}:80"
        { Start-StratoVm web -ErrorAction Stop } | Should -Throw -ErrorId 'PortInUse,*' -ExpectedMessage "*TCP port $port*"
        $listener.Stop()
        (Start-StratoVm web -PassThru).State | Should -Be 'Running'
        $null = New-StratoVm other "$folder/tiny" -Memory 256MB
        Add-StratoNetworkAdapter -VMName other -Publish "127.0.0.1:${port}:80"
        { Start-StratoVm other -ErrorAction Stop } | Should -Throw -ErrorId 'PortInUse,*' -ExpectedMessage "*TCP port $port of 127.0.0.1*"
    }
    It "that is root's is named to others" -Skip:((& id -u) -ne 0 -or -not (Get-Command setpriv -ErrorAction Ignore)) {
        $script = "Import-Module '$ModulePath'; `$null = New-StratoVm low '$folder/tiny' -Memory 256MB -Ephemeral; Add-StratoNetworkAdapter -VMName low -Publish 127.0.0.1:81:80; " +
            'try { Start-StratoVm low -AllowEmulation -ErrorAction Stop } catch { $_.FullyQualifiedErrorId; $_.Exception.Message }'
        & /bin/chmod 755 $folder
        & /bin/mkdir -m 700 "$folder/u"
        & /bin/chown 65534:65534 "$folder/u"
        $said = & env HOME="$folder/u" STRATO_STATE="$folder/u/s" STRATO_RUNTIME="$folder/u/r" setpriv --reuid 65534 --regid 65534 --clear-groups (Get-Process -Id $PID).Path -NoProfile -NonInteractive -Command $script
        $said | Out-String | Should -Match 'PortForbidden,(.|\n)*TCP port 81 of 127.0.0.1'
    }
}

Describe 'An ephemeral Debian guest with a published port' -Tag Kvm -Skip:([bool]$NoGuest) {
    BeforeAll {
        $folder = New-TestState
        if ($global:StratoTestHost.InLab -and -not (ip route show default)) {
            # passt looks for a way out, of whatever kind, and the virtual host has none.
            & ip link add stratodummy type dummy
            & ip addr add 198.18.78.1/24 dev stratodummy
            & ip link set stratodummy up
            & ip route add default via 198.18.78.2 dev stratodummy
        }
    }
    AfterAll {
        Get-StratoVm | Stop-StratoVm -TurnOff
        Remove-TestState $folder
    }
    It 'answers on the port, forgets what it wrote, and is gone when it powers off' -Skip:(-not (Get-Command passt -ErrorAction Ignore)) {
        $port = Get-FreePort
        Copy-Item "$GuestFolder/rootfs.ext4" "$folder/root.ext4"
        $before = Get-FileHash "$folder/root.ext4"
        $run = 'modprobe virtio_net; echo written > /etc/issue; ifconfig eth0 up; udhcpc -n -q -i eth0 -s /bin/true; ip addr; mkdir /srv; echo served > /srv/x; sync; ' +
            'while ! ip -4 addr show dev eth0 | grep -q inet; do udhcpc -n -q -i eth0 -s /tmp/dhcp; done; httpd -f -p 80 -h /srv & while [ ! -e /srv/stop ]; do usleep 100000; done'
        $script = "printf '#!/bin/sh\n[ -z `"`$ip`" ] || ip addr add `$ip/`$mask dev eth0; [ -z `"`$router`" ] || { ip route add `$router dev eth0; ip route add default via `$router; }\n' >/tmp/dhcp; chmod +x /tmp/dhcp; " + $run
        $encoded = [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($script))
        $vm = New-StratoVm served "$GuestFolder/vmlinuz" -Initrd "$GuestFolder/initrd.img" -Memory 512MB -Ephemeral `
            -CommandLine "console=ttyS0 reboot=k panic=-1 quiet root=/dev/vda rw strato.quiet strato.run=base64:$encoded strato.then=poweroff" |
            Add-StratoDrive "$folder/root.ext4" -PassThru | Add-StratoNetworkAdapter -Publish "127.0.0.1:${port}:80" -PassThru | Start-StratoVm -PassThru
        Wait-Until { try { (Invoke-RestMethod "http://127.0.0.1:$port/x" -TimeoutSec 20) -match 'served' } catch { $false } } -Seconds $limit -What 'an answer on the published port'
        $vm | Stop-StratoVm -Timeout $limit
        Get-StateFile | Should -BeNullOrEmpty
        (Get-FileHash "$folder/root.ext4").Hash | Should -Be $before.Hash
    }
}
