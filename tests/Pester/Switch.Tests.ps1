. "$PSScriptRoot/common.ps1"
BeforeDiscovery {
    $none = if ((id -u) -ne 0) { 'switches need root' }
    elseif (@(Get-Command unshare, nft, dnsmasq -CommandType Application -ErrorAction Ignore).Count -lt 3) { 'unshare, nft or dnsmasq is missing' }
}
BeforeAll {
    . "$PSScriptRoot/common.ps1"
    Import-Strato

    # Runs a script in a network of its own, in a PowerShell of its own, and gives what it emits, as JSON tells it.
    function Invoke-InNetwork([scriptblock] $Script, [string] $Folder, [hashtable] $With = @{}) {
        $file = "$Folder/in-network.ps1"
        Set-Content $file @"
`$ErrorActionPreference = 'Stop'
ip link set lo up
. '$PSScriptRoot/common.ps1'
Import-Strato
`$folder = '$Folder'
`$with = '$(($With | ConvertTo-Json -Compress) -replace "'", "''")' | ConvertFrom-Json
`$PSDefaultParameterValues['Start-StratoVm:AllowEmulation'] = `$true
try { & { $Script } | ConvertTo-Json -Depth 4 | Set-Content '$Folder/result.json' }
finally { Get-StratoVm | Stop-StratoVm -TurnOff; Remove-StratoSwitch * -Force }
"@
        $said = unshare -n pwsh -NoProfile -NonInteractive -File $file 2>&1
        if ($LASTEXITCODE -ne 0) { throw "the script failed: $($said -join [Environment]::NewLine)" }
        Get-Content -Raw "$Folder/result.json" | ConvertFrom-Json
    }
}

Describe 'Switches' -Tag Engine -Skip:([bool]($NoEngine ?? $none)) {
    BeforeAll {
        $folder = New-TestState
        New-TinyKernel "$folder/tiny"
    }
    AfterAll { Remove-TestState $folder }

    It 'are made, seen and removed with all that belongs to them' {
        $r = Invoke-InNetwork -Folder $folder {
            $made = New-StratoSwitch lan -Nat -WarningVariable warnings 3>$null
            New-StratoSwitch quiet Private | Out-Null
            $seen = @{ Made = $made; Warning = "$warnings"; Names = (Get-StratoSwitch).Name; Rules = "$(nft list ruleset)"; Address = "$(ip -br addr show st-lan)" }
            Get-StratoSwitch | Remove-StratoSwitch
            $seen.Left = @(ip -br link).Count
            $seen.Rest = "$(nft list ruleset)"
            $seen.Process = [bool](Get-Process -Id $made.DhcpProcessId -ErrorAction Ignore | Where-Object { (Get-Content "/proc/$($_.Id)/stat") -notmatch '\) Z ' })
            $seen
        }
        $r.Made.State, $r.Made.SwitchType, $r.Made.Subnet | Should -Be 'Up', 'Internal', '192.168.100.0/24'
        $r.Warning | Should -Match 'ip_forward'
        $r.Names | Should -Be 'lan', 'quiet'
        $r.Rules | Should -Match 'masquerade'
        $r.Address | Should -Match '192\.168\.100\.1/24'
        $r.Left, $r.Rest, $r.Process | Should -Be 1, '', $false
    }
    It 'have the taps of running VMs, however those end' {
        $r = Invoke-InNetwork -Folder $folder {
            $null = New-StratoSwitch lan -NoDhcp
            $null = New-StratoVm tiny "$folder/tiny" -Memory 256MB
            Add-StratoNetworkAdapter -SwitchName lan -VMName tiny
            $tap = (Get-StratoNetworkAdapter -VMName tiny).TapName
            Start-StratoVm tiny
            $seen = @{ Tap = $tap; Port = "$(ip -br link show master st-lan)" }
            Add-StratoNetworkAdapter -SwitchName lan -VMName tiny
            $seen.Ports = @(ip -br link show master st-lan).Count
            Remove-StratoNetworkAdapter net1 -VMName tiny
            Wait-Until { @(ip -br link show master st-lan).Count -eq 1 }
            & /bin/kill -KILL (Get-StratoVm tiny).ProcessId
            Wait-Until { -not (ip -br link show master st-lan) }
            $seen.Bridge = (Get-StratoSwitch lan).State
            $seen.Users = (Get-StratoSwitch lan).VMs
            try { Remove-StratoSwitch lan -ErrorAction Stop } catch { $seen.Refused = $_.FullyQualifiedErrorId }
            Remove-StratoVm tiny -Force
            $seen
        }
        $r.Port | Should -Match $r.Tap
        $r.Ports | Should -Be 2
        $r.Bridge, $r.Users | Should -Be 'Up', 'tiny'
        $r.Refused | Should -Match '^SwitchInUse,'
    }
    It 'refuse clones that would have one address, where no agent changes it' {
        $r = Invoke-InNetwork -Folder $folder {
            $null = New-StratoSwitch lan -NoDhcp
            New-StratoVm web "$folder/tiny" -Memory 256MB | Add-StratoNetworkAdapter -SwitchName lan
            Start-StratoVm web
            Save-StratoSnapshot web base
            $seen = @{ Address = (Get-StratoNetworkAdapter -VMName web).MacAddress }
            Copy-StratoVm web -Snapshot base -ErrorAction SilentlyContinue -ErrorVariable beside
            Copy-StratoVm web -Snapshot base -Count 2 -ErrorAction SilentlyContinue -ErrorVariable two
            $seen.Ids = $beside[0].FullyQualifiedErrorId, $two[0].FullyQualifiedErrorId
            $seen.Beside = "$beside"
            $seen.Two = "$two"
            $seen.Left = (Get-StratoVm).Name
            Stop-StratoVm web -TurnOff -Force

            # Where nobody else has it, it stays the template's, and the definition says so.
            $clone = Copy-StratoVm web -Snapshot base -PassThru
            $seen.Clone = $clone.State, (Get-StratoNetworkAdapter -VMName $clone.Name).MacAddress
            Get-StratoVm | Stop-StratoVm -TurnOff -Force
            Get-StratoVm | Remove-StratoVm -Force
            $seen
        }
        $r.Ids | ForEach-Object { $_ | Should -Match '^CloneMacAddress,' }
        $r.Beside | Should -Match "^A clone and the VM 'web' would have the same MAC address $($r.Address) on the switch 'lan': .* no guest agent"
        $r.Two | Should -Match '^The clones would have the same MAC address'
        $r.Left | Should -Be web
        $r.Clone | Should -Be Running, $r.Address
    }
    It 'need root, and say so' {
        $file = "$folder/no-right.ps1"
        Set-Content $file ". '$PSScriptRoot/common.ps1'; Import-Strato; try { New-StratoSwitch lan -ErrorAction Stop } catch { `$_.FullyQualifiedErrorId; `$_.ErrorDetails.RecommendedAction }"
        $said = setpriv --bounding-set=-net_admin --inh-caps=-net_admin pwsh -NoProfile -NonInteractive -File $file
        $said[0] | Should -Match '^SwitchNeedsRoot,'
        $said[1] | Should -Match 'sudo pwsh'
    }
}

Describe 'Guests on a switch' -Tag Kvm -Skip:([bool]($NoGuest ?? $none)) {
    BeforeAll { $folder = New-TestState }
    AfterAll { Remove-TestState $folder }

    It 'get addresses, reach each other and the outside' {
        $limit = $global:StratoTestHost.InLab ? 600 : 60
        $r = Invoke-InNetwork -Folder $folder -With @{ Limit = $limit } {
            $limit = $with.Limit

            # The outside: another network, which has no way back to the switch's addresses.
            $outside = Start-Process unshare '-n', 'sleep', '100000' -PassThru
            try {
                Wait-Until { (Get-Item "/proc/$($outside.Id)/ns/net").Target -ne (Get-Item /proc/self/ns/net).Target } -Seconds $limit
                ip link add up0 type veth peer name out0
                ip link set out0 netns $outside.Id
                ip addr add 10.77.0.1/24 dev up0
                ip link set up0 up
                nsenter -t $outside.Id -n sh -c 'ip addr add 10.77.0.2/24 dev out0; ip link set out0 up; ip link set lo up'
                ip route add default via 10.77.0.2

                $null = New-StratoSwitch lan -Nat 3>$null
                $script = 'printf ''#!/bin/sh\n[ -z "$ip" ] || ip addr add $ip/$mask dev $interface\n[ -z "$router" ] || ip route add default via $router\n'' >/tmp/up; chmod +x /tmp/up; ip link set eth0 up; udhcpc -q -s /tmp/up -i eth0 -x hostname:$(cat /proc/cmdline | sed ''s/.*name=//''); echo dhcp done'
                foreach ($name in 'a', 'b') {
                    $null = New-StratoVm $name "$GuestFolder/vmlinuz" -Initrd "$GuestFolder/initrd.img" -Memory 256MB -CommandLine "console=ttyS0 reboot=k panic=-1 quiet strato.autologin strato.run=base64:$([Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($script))) name=$name"
                    Add-StratoNetworkAdapter -SwitchName lan -VMName $name
                }
                Start-StratoVm a, b
                Get-StratoVm | Wait-StratoVm -For Console -Match 'strato-guest: ready' -Timeout $limit
                Wait-StratoVm a -Match '[#$] $' -Timeout $limit
                $leases = (Get-StratoSwitch lan).Leases
                $b = $leases | Where-Object MacAddress -eq (Get-StratoNetworkAdapter -VMName b).MacAddress
                $seen = @{ Leases = @($leases.IPAddress); Names = @($leases.HostName | Sort-Object) }
                Send-StratoConsole "ping -c 1 -W 20 $($b.IPAddress) >/dev/null && echo neighbour=ok" -VMName a -ExpectMatch '^neighbour=ok' -Timeout $limit
                Send-StratoConsole 'ping -c 1 -W 20 10.77.0.2 >/dev/null && echo outside=ok' -VMName a -ExpectMatch '^outside=ok' -Timeout $limit
                Send-StratoConsole 'ping -c 1 -W 20 192.168.100.1 >/dev/null && echo host=ok' -VMName a -ExpectMatch '^host=ok' -Timeout $limit

                # By name: the switch's dnsmasq knows who asked for an address.
                Send-StratoConsole 'nslookup b 192.168.100.1 >/dev/null && echo name=ok' -VMName a -ExpectMatch '^name=ok' -Timeout $limit

                # From outside nobody gets in, even with a way there.
                $seen.In = nsenter -t $outside.Id -n sh -c "ip route add 192.168.100.0/24 via 10.77.0.1; ping -c 1 -W 2 $($b.IPAddress) >/dev/null && echo in || echo refused"
                Get-StratoVm | Stop-StratoVm -TurnOff
                $seen.Ports = @(ip -br link show master st-lan).Count
                Get-StratoVm | Remove-StratoVm -Force
                $seen
            } finally { $outside | Stop-Process }
        }
        $r.Leases.Count | Should -Be 2
        $r.Leases | ForEach-Object { $_ | Should -Match '^192\.168\.100\.(1[2-9]\d|2\d\d)$' }
        $r.Names | Should -Be 'a', 'b'
        $r.In | Should -Be 'refused'
        $r.Ports | Should -Be 0
    }
}

Describe 'Clones on a switch' -Tag Kvm -Skip:([bool]($NoAgent ?? $none)) {
    BeforeAll { $folder = New-TestState }
    AfterAll { Remove-TestState $folder }

    It 'have a MAC address each by their agents, and answer' {
        $limit = $global:StratoTestHost.InLab ? 600 : 60
        $r = Invoke-InNetwork -Folder $folder -With @{ Limit = $limit } {
            $limit = $with.Limit
            $null = New-StratoSwitch lan
            & cp --sparse=always "$GuestFolder/debian.ext4" "$folder/root.ext4"
            $web = New-StratoVm web "$GuestFolder/vmlinuz" -Initrd "$GuestFolder/initrd.img" -Memory 512MB -CommandLine 'console=ttyS0 root=/dev/vda rw' -GuestAgent
            $web | Add-StratoDrive "$folder/root.ext4"
            $web | Add-StratoNetworkAdapter -SwitchName lan
            $web | Start-StratoVm -PassThru | Wait-StratoVm -For GuestAgent -Timeout $limit
            Invoke-StratoGuestCommand 'modprobe virtio_net; ip link set eth0 up' -VMName web -Timeout $limit | Out-Null
            Save-StratoSnapshot web base -IncludeDisk
            $clones = Copy-StratoVm web -Snapshot base -Count 2 -Ephemeral -PassThru
            $seen = @{ States = @($clones.State); Defined = @((Get-StratoNetworkAdapter -VMName web, $clones[0].Name, $clones[1].Name).MacAddress); Had = @(); Answer = @(); Neighbours = @() }
            $last = 201
            foreach ($name in 'web', $clones[0].Name, $clones[1].Name) {
                $seen.Had += (Invoke-StratoGuestCommand 'cat /sys/class/net/eth0/address' -VMName $name -Timeout $limit).StandardOutput.Trim()
                $null = Invoke-StratoGuestCommand "ip addr add 192.168.100.$last/24 dev eth0" -VMName $name -Timeout $limit
                $last++
            }
            # All three beside each other: who answers at an address has the MAC address of its definition.
            foreach ($number in 201..203) {
                $seen.Answer += Test-Connection "192.168.100.$number" -Count 1 -TimeoutSeconds 60 -Quiet
                $seen.Neighbours += "$(ip neigh show "192.168.100.$number")" -replace '.*lladdr (\S+).*', '$1'
            }
            Get-StratoVm | Stop-StratoVm -TurnOff -Force
            Get-StratoVm | Remove-StratoVm -Force
            $seen
        }
        $r.States | Should -Be Running, Running
        $r.Had | Should -Be $r.Defined
        $r.Had | Select-Object -Unique | Should -HaveCount 3
        $r.Answer | Should -Be $true, $true, $true
        $r.Neighbours | Should -Be $r.Defined
    }
}
