using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>New-StratoVm -FromDomainXml and -FromCommandLine.</summary>
[Collection(CmdletCollection.Name)]
public sealed class FromTests : CmdletTests
{
    [Fact]
    public void ADomainIsAVmAndWhatIsGivenWins()
    {
        Store.WriteFile("disk", new string('d', 512));
        Store.WriteFile("web.xml", """
            <domain type='kvm'>
              <name>web</name><memory unit='MiB'>512</memory><vcpu>2</vcpu>
              <os><type>hvm</type><kernel>vmlinuz</kernel></os>
              <devices>
                <disk type='file'><driver type='raw'/><source file='disk'/><target dev='vda' bus='virtio'/></disk>
                <graphics type='vnc'/>
                <vsock><cid auto='yes'/></vsock>
              </devices>
            </domain>
            """);
        HostResult result = Run(new Step("New-StratoVm").With("FromDomainXml", "web.xml"));
        Vm vm = result.Single<Vm>();
        Assert.Equal(("web", 512L << 20, 2, Store.Kernel, ""), (vm.Name, vm.Memory, vm.Cpu, vm.Kernel, vm.CommandLine));
        Assert.Equal(("vda", Path.Combine(Store.Root, "disk")), (vm.Drives[0].Id, vm.Drives[0].Path));
        Assert.Equal($"{Path.Combine(Store.Root, "web.xml")}, line 6: <graphics> can't be carried over: the machine has no screen: the serial console is its terminal (Enter-StratoConsole).", Assert.Single(result.Warnings));
        Assert.Equal(3, Store.Client.Get("web").Vsock!.GuestCid);

        Vm other = Run(new Step("New-StratoVm", "other").With("FromDomainXml", "web.xml").With("Memory", 1L << 30).With("Cpu", 1).With("CommandLine", "quiet").Switch("GuestAgent").With("Notes", "n")).Single<Vm>();
        Assert.Equal(("other", 1L << 30, 1, "quiet", "n"), (other.Name, other.Memory, other.Cpu, other.CommandLine, other.Notes));
        Assert.True(Store.Client.Get("other").GuestAgent);
        Assert.Equal(4, Store.Client.Get("other").Vsock!.GuestCid);
        Assert.Equal(["Define a VM: x"], Run(new Step("New-StratoVm", "x").With("FromDomainXml", "web.xml").Switch("WhatIf")).ShouldProcess);

        AssertError(Error(new Step("New-StratoVm").With("FromDomainXml", "web.xml")), "VmExists", ErrorCategory.ResourceExists, "web.xml");
        AssertError(Error(new Step("New-StratoVm", "y").With("FromDomainXml", "no.xml")), "DomainXmlNotFound", ErrorCategory.ObjectNotFound, "y");
        File.Delete(Path.Combine(Store.Root, "disk"));
        ErrorRecord error = Error(new Step("New-StratoVm", "y").With("FromDomainXml", "web.xml"));
        AssertError(error, "DriveFileNotFound", ErrorCategory.ObjectNotFound, "y");
        Assert.Contains("web.xml', line 5, Drives[0]: The drive", error.Exception.Message, StringComparison.Ordinal);
        Store.WriteFile("bare.xml", "<domain><name>bare</name></domain>");
        Assert.StartsWith("KernelMissing", Error(new Step("New-StratoVm").With("FromDomainXml", "bare.xml")).FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Equal("bare", Run(new Step("New-StratoVm").With("FromDomainXml", "bare.xml").With("Kernel", "vmlinuz")).Single<Vm>().Name);
        Store.WriteFile("dtd.xml", "<!DOCTYPE domain [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><domain><name>&a;</name></domain>");
        AssertError(Error(new Step("New-StratoVm", "z").With("FromDomainXml", "dtd.xml")), "InvalidDomainXml", ErrorCategory.InvalidData, "z");
    }

    [Fact]
    public void ACommandLineIsAVmAndWhatIsGivenWins()
    {
        HostResult result = Run(new Step("New-StratoVm", "web").With("FromCommandLine", "stratovirt -kernel vmlinuz -m 1G -smp 2 -append 'a b' -name old -vnc :0"));
        Vm vm = result.Single<Vm>();
        Assert.Equal(("web", 1L << 30, 2, Store.Kernel, "a b"), (vm.Name, vm.Memory, vm.Cpu, vm.Kernel, vm.CommandLine));
        Assert.StartsWith("-FromCommandLine, line 1: -vnc :0 can't be carried over: ", Assert.Single(result.Warnings), StringComparison.Ordinal);
        Assert.Equal("old", Run(new Step("New-StratoVm").With("FromCommandLine", "-kernel vmlinuz -name old")).Single<Vm>().Name);
        AssertError(Error(new Step("New-StratoVm", "x").With("FromCommandLine", "-kernel 'vmlinuz")), "InvalidCommandLine", ErrorCategory.InvalidArgument, "x");
        AssertError(Error(new Step("New-StratoVm", "x").With("FromCommandLine", "-m 512M")), "KernelMissing", ErrorCategory.InvalidArgument, "x");
        Assert.StartsWith("InvalidName", Error(new Step("New-StratoVm").With("FromCommandLine", "-kernel vmlinuz")).FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Equal(["old", "web"], Run(new Step("Get-StratoVm")).Of<Vm>().Select(one => one.Name));
    }
}
