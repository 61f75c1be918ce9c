using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using System.Text.RegularExpressions;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>The conventions that hold for all cmdlets, read from their metadata.</summary>
public sealed class MetadataTests
{
    // Get-Verb of PowerShell 7.6, those that a module like this could use.
    private static readonly string[] ApprovedVerbs =
    [
        "Add", "Clear", "Close", "Copy", "Enter", "Exit", "Find", "Format", "Get", "Hide", "Join", "Lock", "Move", "New", "Open", "Optimize", "Pop", "Push", "Redo",
        "Remove", "Rename", "Reset", "Resize", "Search", "Select", "Set", "Show", "Skip", "Split", "Step", "Switch", "Undo", "Unlock", "Watch", "Connect",
        "Disconnect", "Read", "Receive", "Send", "Write", "Backup", "Checkpoint", "Compare", "Compress", "Convert", "ConvertFrom", "ConvertTo", "Dismount", "Edit",
        "Expand", "Export", "Group", "Import", "Initialize", "Limit", "Merge", "Mount", "Out", "Publish", "Restore", "Save", "Sync", "Unpublish", "Update", "Debug",
        "Measure", "Ping", "Repair", "Resolve", "Test", "Trace", "Approve", "Assert", "Build", "Complete", "Confirm", "Deny", "Deploy", "Disable", "Enable",
        "Install", "Invoke", "Register", "Request", "Restart", "Resume", "Start", "Stop", "Submit", "Suspend", "Uninstall", "Unregister", "Wait",
        "Block", "Grant", "Protect", "Revoke", "Unblock", "Unprotect", "Use",
    ];

    private static readonly string[] Reading = ["Get", "Test", "Compare", "Watch", "Register", "Wait", "Enter", "Measure"];

    public static TheoryData<string> Names => [.. CmdletInfo.All.Select(cmdlet => cmdlet.Name)];

    public static string Root { get; } = FindRoot();

    [Fact]
    public void TheManifestExportsExactlyTheCmdlets()
    {
        string manifest = File.ReadAllText(Path.Combine(Root, "Strato.psd1"));
        string list = Regex.Match(manifest, @"CmdletsToExport\s*=\s*@\(([^)]*)\)", RegexOptions.None, TimeSpan.FromSeconds(5)).Groups[1].Value;
        Assert.Equal(
            CmdletInfo.All.Select(cmdlet => cmdlet.Name).Order(StringComparer.Ordinal),
            Regex.Matches(list, "'([^']+)'", RegexOptions.None, TimeSpan.FromSeconds(5)).Select(match => match.Groups[1].Value));
        Assert.Contains("ModuleVersion        = '0.1.0'", manifest, StringComparison.Ordinal);
        foreach (string empty in (string[])["FunctionsToExport", "VariablesToExport"])
        {
            Assert.Matches($@"{empty}\s*=\s*@\(\)", manifest);
        }

        string aliases = string.Join(", ", CmdletInfo.All.SelectMany(cmdlet => cmdlet.Type.GetCustomAttribute<AliasAttribute>()?.AliasNames ?? []).Select(alias => $"'{alias}'"));
        Assert.Contains($"AliasesToExport      = @({aliases})", manifest, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void VerbsAreApprovedAndNounsSingular(string name)
    {
        CmdletAttribute cmdlet = CmdletInfo.Get(name).Attribute;
        Assert.Contains(cmdlet.VerbName, ApprovedVerbs, StringComparer.Ordinal);
        Assert.Matches("^Strato(Vm|VmConfiguration|Event|Disk|Switch|Drive|Log|NetworkAdapter|Host|Console|Qmp|ConsolePort|IoThread|SharedFolder|Vsock|Rng|Balloon|HugePage|Cpu|GuestCommand|GuestImage|GuestFile|GuestInfo|Snapshot)$", cmdlet.NounName);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void MutationsSupportShouldProcessAndSayWhatTheyEmit(string name)
    {
        CmdletInfo cmdlet = CmdletInfo.Get(name);
        Assert.Equal(!Reading.Contains(cmdlet.Attribute.VerbName, StringComparer.Ordinal), cmdlet.Attribute.SupportsShouldProcess);
        Assert.Equal(name is "Remove-StratoVm" or "Remove-StratoSnapshot" or "Restore-StratoSnapshot" ? ConfirmImpact.High : ConfirmImpact.Medium, cmdlet.Attribute.ConfirmImpact);
        Assert.NotNull(cmdlet.Type.GetCustomAttribute<OutputTypeAttribute>());
        Assert.Contains(cmdlet.Attribute.DefaultParameterSetName, cmdlet.Sets, StringComparer.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void ParametersKeepTheConventions(string name)
    {
        foreach (Strato.Tests.CmdletHost.ParameterInfo parameter in CmdletInfo.Get(name).Parameters)
        {
            PropertyInfo property = parameter.Property;
            Assert.Matches("^[A-Z][A-Za-z]+$", parameter.Name);
            Assert.All(parameter.Sets.Values, declared => Assert.Matches(@"^[A-Z][^\n]{8,}\.$", declared.HelpMessage));
            Assert.NotEqual(typeof(bool), property.PropertyType);
            Assert.NotEqual(typeof(TimeSpan), property.PropertyType);
            if (parameter.Name is "Timeout" or "TurnOffAfter")
            {
                Assert.Equal(typeof(int), property.PropertyType);
                Assert.NotNull(property.GetCustomAttribute<ValidateRangeAttribute>());
            }

            if (property.PropertyType == typeof(SwitchParameter))
            {
                Assert.Equal(default, (SwitchParameter)property.GetValue(Activator.CreateInstance(CmdletInfo.Get(name).Type))!);
            }

            if (parameter.Name is "VMName" || (parameter.Name == "Name" && name is not ("New-StratoVm" or "Import-StratoVmConfiguration") && CmdletInfo.Get(name).Attribute.NounName is not ("StratoSwitch" or "StratoSnapshot")))
            {
                Assert.NotNull(property.GetCustomAttribute<SupportsWildcardsAttribute>());
                Assert.Equal("VmNameCompleter", property.GetCustomAttribute<ArgumentCompleterAttribute>()?.Type.Name);
                Assert.Equal(typeof(string[]), property.PropertyType);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void VmsComeByNameOrByObject(string name)
    {
        CmdletInfo cmdlet = CmdletInfo.Get(name);
        if (name is "New-StratoVm" or "New-StratoDisk" or "New-StratoGuestImage" or "Invoke-StratoVm" or "Get-StratoVm" or "Get-StratoHost" or "Test-StratoHost" or "Get-StratoHugePage" or "Set-StratoHugePage" or "Watch-StratoEvent" or "Register-StratoEvent" or "Measure-StratoVm" or "Import-StratoVmConfiguration" || cmdlet.Attribute.NounName == "StratoSwitch")
        {
            return;
        }

        // -Name is the snapshot's there, behind the VM's.
        if (cmdlet.Attribute.NounName == "StratoSnapshot" && name != "Import-StratoSnapshot")
        {
            Assert.Equal(0, cmdlet.Find("VMName").In("VMName")!.Position);
            Assert.Equal("VMName", cmdlet.Attribute.DefaultParameterSetName);
            Assert.True(cmdlet.Find("VM").In("VM")!.ValueFromPipeline);
            return;
        }

        bool device = cmdlet.Attribute.NounName != "StratoVm";
        bool ownArgument = cmdlet.Attribute.NounName is "StratoDrive" or "StratoNetworkAdapter" or "StratoConsolePort" or "StratoIoThread" or "StratoSharedFolder" or "StratoQmp" or "StratoGuestCommand" or "StratoGuestFile" or "StratoSnapshot" || name == "Send-StratoConsole";
        ParameterAttribute vm = cmdlet.Find("VM").In("VM")!;
        ParameterAttribute byName = cmdlet.Find(device ? "VMName" : "Name").In(device ? "VMName" : "Name")!;
        Assert.True(vm.Mandatory && vm.ValueFromPipeline && byName.Mandatory);
        if (!ownArgument)
        {
            // The alias works both ways: -Name and -VMName are the same.
            Assert.Equal(cmdlet.Find("Name"), cmdlet.Find("VMName"));
            Assert.True(byName.ValueFromPipeline && byName.Position == 0 && vm.Position == 0);
            Assert.Equal(device ? "VMName" : "Name", cmdlet.Attribute.DefaultParameterSetName);
            return;
        }

        // With the name at position 0, New-StratoVm … | Add-StratoDrive root.ext4 would not bind.
        Assert.Equal("VM", cmdlet.Attribute.DefaultParameterSetName);
        Assert.True(byName.Position < 0 && vm.Position < 0 && !byName.ValueFromPipeline);
        IEnumerable<string> first = cmdlet.Sets.Where(set => set is "VM" or "VMName").Select(set => cmdlet.Parameters.Single(p => p.In(set)?.Position == 0).Name).Distinct(StringComparer.Ordinal);
        Assert.Single(first);
    }

    [Theory]
    [InlineData("New-StratoVm", "Name Kernel Initrd CommandLine Memory Cpu Machine FromDomainXml FromCommandLine")]
    [InlineData("Wait-StratoVm", "For Match Timeout PassThru")]
    [InlineData("Send-StratoConsole", "Text VMName NoNewline ExpectMatch Timeout")]
    [InlineData("Stop-StratoVm", "Name VM TurnOff TurnOffAfter Force PassThru")]
    [InlineData("Invoke-StratoQmp", "Command VMName Arguments")]
    [InlineData("Get-StratoConsole", "VMName Tail Follow Raw AsByteStream Previous")]
    [InlineData("Remove-StratoVm", "Name VM Force")]
    [InlineData("Set-StratoBalloon", "VMName VM Target Wait Timeout PassThru")]
    [InlineData("Invoke-StratoGuestCommand", "Command FilePath ArgumentList InputText Environment Timeout ThrottleLimit VMName VM")]
    [InlineData("Copy-StratoGuestFile", "Path Destination ToGuest FromGuest Force Mode VMName VM PassThru")]
    [InlineData("Get-StratoGuestInfo", "VMName VM Timeout")]
    [InlineData("Copy-StratoVm", "Name VM NewName CopyDisk DiskDirectory KeepMacAddress")]
    [InlineData("Copy-StratoVm", "Snapshot Count NameFormat NewName Ephemeral ThrottleLimit PassThru InputObject")]
    [InlineData("Save-StratoSnapshot", "VMName VM Name IncludeDisk Paused PassThru")]
    [InlineData("Get-StratoSnapshot", "VMName VM Name")]
    [InlineData("Restore-StratoSnapshot", "VMName VM Snapshot Name Paused KeepTime Verify Force PassThru")]
    [InlineData("Remove-StratoSnapshot", "VMName VM Snapshot Name IncludeAllChildSnapshots Force")]
    [InlineData("Rename-StratoSnapshot", "VMName VM Snapshot Name NewName PassThru")]
    [InlineData("Test-StratoSnapshot", "VMName VM Snapshot Name Quiet")]
    [InlineData("Export-StratoSnapshot", "VMName VM Snapshot Name Path PassThru")]
    [InlineData("Import-StratoSnapshot", "VMName VM Path Name")]
    [InlineData("Test-StratoVm", "Name VM Quiet AllowEmulation")]
    [InlineData("Export-StratoVmConfiguration", "VMName VM Path Format Force PassThru")]
    [InlineData("Import-StratoVmConfiguration", "Path Name Format")]
    [InlineData("Compare-StratoVm", "Name VM Configuration DifferenceName")]
    [InlineData("Set-StratoVm", "Name VM Configuration Memory Cpu PassThru")]
    [InlineData("New-StratoDisk", "Path Size Preallocate Format Label Force")]
    [InlineData("New-StratoGuestImage", "Path Destination Distribution Suite Package Kernel ModulePath Size Force")]
    [InlineData("Invoke-StratoVm", "Image Command FilePath ArgumentList Environment Timeout Network Publish Memory Cpu")]
    [InlineData("Rename-StratoVm", "Name VM NewName PassThru")]
    [InlineData("Get-StratoLog", "VMName VM Tail Follow Previous")]
    [InlineData("Measure-StratoVm", "Name VM Interval Count Timeout")]
    [InlineData("New-StratoSwitch", "Name SwitchType NetAdapterName Nat Subnet NoDhcp")]
    [InlineData("Remove-StratoSwitch", "Name Switch Force")]
    [InlineData("Add-StratoNetworkAdapter", "TapName SwitchName User VMName VM Vhost QueueCount MacAddress PortForward PassThru")]
    [InlineData("Debug-StratoVm", "Name VM Register Nmi DumpPath Force")]
    public void ParametersThatScriptsUse(string name, string parameters)
    {
        IEnumerable<string> has = CmdletInfo.Get(name).Parameters.Select(parameter => parameter.Name);
        Assert.All(parameters.Split(' '), parameter => Assert.Contains(parameter, has, StringComparer.Ordinal));
    }

    [Fact]
    public void MemoryIsInBytesAndCpuACount()
    {
        Assert.Equal(typeof(long), CmdletInfo.Get("New-StratoVm").Find("Memory").Property.PropertyType);
        Assert.Equal(typeof(int), CmdletInfo.Get("New-StratoVm").Find("Cpu").Property.PropertyType);
    }

    [Theory]
    [InlineData(typeof(Vm), "Name Id State ProcessId Memory Cpu Uptime CpuUsage MemoryAssigned MemoryDemand Time Status")]
    [InlineData(typeof(Drive), "VMName Id Path ReadOnly Serial Size")]
    [InlineData(typeof(IoThread), "VMName VMId Id ThreadId Devices")]
    [InlineData(typeof(ConsolePort), "VMName VMId Id Terminal Backend Path")]
    [InlineData(typeof(SharedFolder), "VMName VMId Tag Path")]
    [InlineData(typeof(Vsock), "VMName VMId GuestCid")]
    [InlineData(typeof(Rng), "VMName VMId Source MaxBytes Period")]
    [InlineData(typeof(Balloon), "VMName VMId DeflateOnOom FreePageReporting Memory Actual")]
    [InlineData(typeof(Switch), "Name Id SwitchType State BridgeName NetAdapterName Subnet HostAddress Nat DhcpProcessId VMs Leases")]
    [InlineData(typeof(SwitchLease), "IPAddress MacAddress HostName Expires")]
    [InlineData(typeof(NetworkAdapter), "VMName Id Type SwitchName TapName MacAddress QueueCount Vhost Connected PortForward Publish")]
    [InlineData(typeof(GuestImage), "Kernel Initrd Root CommandLine Source Digest Size Command Folder")]
    [InlineData(typeof(GuestCommandResult), "VMName VMId ExitCode Signal StandardOutput StandardError OutputTruncated ErrorTruncated ProcessId")]
    [InlineData(typeof(GuestInfo), "VMName VMId HostName Os OsId OsVersion KernelRelease KernelVersion Machine Addresses NetworkInterfaces Disks FileSystems Users TimeZone AgentVersion")]
    [InlineData(typeof(Snapshot), "VMName VMId Name Id ParentName ParentId Depth IsCurrent Created WasRunning Memory Cpu Disks Size EngineVersion Path")]
    [InlineData(typeof(SnapshotCheck), "VMName Name Id Ok Faults MemoryChecked")]
    [InlineData(typeof(VmCheck), "VMName Name Result Detail Remedy")]
    [InlineData(typeof(Difference), "VMName Path ReferenceValue DifferenceValue SideIndicator NeedsRestart")]
    [InlineData(typeof(LogEntry), "VMName VMId Time Level Source Message Line")]
    [InlineData(typeof(Measurement), "VMName VMId Time Interval State CpuUsage MemoryAssigned MemoryDemand DiskReadBytes DiskWriteBytes NetworkReceiveBytes NetworkSendBytes Exits Drives NetworkAdapters")]
    [InlineData(typeof(CpuRegister), "VMName VMId Index Mode Ring Rip Rsp Rflags Cr3 Cs GsBase")]
    [InlineData(typeof(DriveMeasurement), "Id ReadBytes WriteBytes Reads Writes Flushes ReadLatency WriteLatency")]
    [InlineData(typeof(NetworkMeasurement), "Id ReceiveBytes SendBytes ReceivePackets SendPackets")]
    [InlineData(typeof(GuestNetworkInterface), "Name MacAddress Addresses")]
    [InlineData(typeof(GuestFileSystem), "MountPoint Device Type Size Used")]
    [InlineData(typeof(GuestUser), "Name LoginTime")]
    [InlineData(typeof(global::Strato.Host), "Kvm KvmReason KvmRemedy CpuCount MemoryTotal EnginePath EngineVersion ModuleVersion KernelRelease Devices Programs")]
    [InlineData(typeof(HostDevice), "Name Path Usable Use Detail Remedy")]
    [InlineData(typeof(global::Strato.HostProgram), "Name Path Version Use Remedy")]
    public void ObjectsHaveTextsAndNumbers(Type type, string properties)
    {
        Type[] plain = [typeof(string), typeof(string[]), typeof(int), typeof(long), typeof(double), typeof(bool), typeof(DateTime), typeof(int?), typeof(long?), typeof(double?), typeof(bool?), typeof(Drive[]), typeof(NetworkAdapter[]), typeof(DateTime?), typeof(GuestNetworkInterface[]), typeof(GuestFileSystem[]), typeof(GuestUser[]), typeof(ulong), typeof(DriveMeasurement[]), typeof(NetworkMeasurement[]), typeof(SwitchLease[]), typeof(HostDevice[]), typeof(global::Strato.HostProgram[])];
        Type[] values = type == typeof(Difference) ? [.. plain, typeof(object)] : plain;
        Assert.All(type.GetProperties(), property => Assert.Contains(property.PropertyType, values));
        Assert.All(properties.Split(' '), name => Assert.NotNull(type.GetProperty(name)));
        Assert.Equal("Strato", type.Namespace);
    }

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Strato.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new InvalidOperationException("The tests run outside the repository.");
    }
}
