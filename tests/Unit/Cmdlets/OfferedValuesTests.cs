using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Tab offers the values of every parameter whose values can be known, and a parameter that offers none says why not.</summary>
public sealed class OfferedValuesTests
{
    private const string OneOf = "ValidateSet";

    // By the parameter's name; where it means something else in one noun or cmdlet, that stands before it.
    private static readonly Dictionary<string, string> Offering = new(StringComparer.Ordinal)
    {
        ["Name"] = "VmNameCompleter",
        ["VMName"] = "VmNameCompleter",
        ["DifferenceName"] = "VmNameCompleter",
        ["StratoVm Id"] = "VmIdCompleter",
        ["StratoSwitch Name"] = "SwitchNameCompleter",
        ["SwitchName"] = "SwitchNameCompleter",
        ["StratoSnapshot Name"] = "SnapshotNameCompleter",
        ["Snapshot"] = "SnapshotNameCompleter",
        ["NetAdapterName"] = "NetAdapterNameCompleter",
        ["TapName"] = "TapNameCompleter",
        ["StratoDrive Id"] = "DriveIdCompleter",
        ["StratoConsolePort Id"] = "ConsolePortIdCompleter",
        ["StratoIoThread Id"] = "IoThreadIdCompleter",
        ["StratoNetworkAdapter Id"] = "NetworkAdapterIdCompleter",
        ["IoThread"] = "IoThreadIdCompleter",
        ["Tag"] = "SharedFolderTagCompleter",
        ["Machine"] = "MachineCompleter",
        ["CpuModel"] = "CpuModelCompleter",
        ["CpuFeature"] = "CpuFeatureCompleter",
        ["Set-StratoCpu Cpu"] = "VirtualCpuCompleter",
        ["Affinity"] = "HostCpuCompleter",
        ["HugePage"] = "HugePageSizeCompleter",
        ["StratoHugePage Size"] = "HugePageSizeCompleter",
        ["Invoke-StratoQmp Command"] = "QmpCommandCompleter",
        ["Event"] = "EventNameCompleter",
        ["For"] = OneOf,
        ["Format"] = OneOf,
        ["SwitchType"] = OneOf,
        ["Distribution"] = OneOf,
    };

    // Those that offer nothing, by the reason.
    private static readonly Dictionary<string, string[]> Free = new(StringComparer.Ordinal)
    {
        ["a new name, which nothing bears yet"] =
        [
            "New-StratoVm Name", "New-StratoSwitch Name", "Import-StratoVmConfiguration Name", "Save-StratoSnapshot Name", "Import-StratoSnapshot Name", "NameFormat", "NewName", "NewId", "Label", "Serial", "SourceIdentifier",
            "Add-StratoDrive Id", "Add-StratoIoThread Id", "Add-StratoNetworkAdapter Id", "Add-StratoConsolePort Id", "Add-StratoSharedFolder Tag",
        ],
        ["a path, or a file or folder's path, which PowerShell completes by itself"] =
        [
            "Path", "Destination", "Kernel", "Initrd", "Configuration", "FromDomainXml", "DiskDirectory", "DumpPath", "ModulePath", "Source", "FilePath", "WorkingDirectory",
        ],
        ["free text"] =
        [
            "Command", "CommandLine", "FromCommandLine", "ArgumentList", "InputText", "Notes", "Match", "ExpectMatch", "Text",
        ],
        ["its form is free, and every value of it is as good"] = ["MacAddress", "Mode", "PortForward", "Publish", "Subnet"],
        ["names of Debian's archive, which change without the module"] = ["Suite", "Package"],
        ["a number or a size, which has no list"] =
        [
            "Memory", "Cpu", "MaximumCpu", "Socket", "Die", "Core", "Thread", "Size", "Count", "MaxTriggerCount", "Iops", "QueueCount", "QueueSize", "Weight", "Quota", "GuestCid",
            "MaxBytes", "Period", "Target", "Tail", "Interval", "Timeout", "TurnOffAfter", "ThrottleLimit",
        ],
    };

    public static TheoryData<string> Names => MetadataTests.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void WhatCanBeKnownIsOffered(string name)
    {
        CmdletInfo cmdlet = CmdletInfo.Get(name);
        Assert.All(cmdlet.Parameters.Where(parameter => !SaysItself(parameter.Property.PropertyType)), parameter =>
        {
            string? key = Key(cmdlet, parameter.Name);
            Assert.True(key is not null, $"{name} -{parameter.Name}: write down which completer it has, or why it has none.");
            string? expected = Offering.GetValueOrDefault(key);
            Assert.False(expected is not null && IsFree(key), $"'{key}' stands in both tables.");
            Assert.Equal((name, parameter.Name, expected), (name, parameter.Name, Offers(parameter.Property)));
        });
    }

    [Fact]
    public void TheTablesNameNothingThatIsGone()
    {
        IEnumerable<string?> used = CmdletInfo.All.SelectMany(cmdlet => cmdlet.Parameters.Where(parameter => !SaysItself(parameter.Property.PropertyType)).Select(parameter => Key(cmdlet, parameter.Name)));
        Assert.Empty(Offering.Keys.Concat(Free.Values.SelectMany(keys => keys)).Except(used, StringComparer.Ordinal));
    }

    /// <summary>The most special one that there is; null for none.</summary>
    private static string? Key(CmdletInfo cmdlet, string parameter) =>
        Array.Find([$"{cmdlet.Name} {parameter}", $"{cmdlet.Attribute.NounName} {parameter}", parameter], key => Offering.ContainsKey(key) || IsFree(key));

    private static bool IsFree(string key) => Free.Values.Any(keys => keys.Contains(key, StringComparer.Ordinal));

    /// <summary>Switches and enumerations offer their values; objects come from a variable or the pipeline, and script blocks are written.</summary>
    private static bool SaysItself(Type type)
    {
        Type one = type.GetElementType() ?? Nullable.GetUnderlyingType(type) ?? type;
        return one.IsEnum || (one != typeof(string) && !one.IsPrimitive);
    }

    /// <summary>By its attributes' data: no completer is made.</summary>
    private static string? Offers(PropertyInfo property)
    {
        IList<CustomAttributeData> attributes = property.GetCustomAttributesData();
        CustomAttributeData? completer = attributes.SingleOrDefault(attribute => attribute.AttributeType == typeof(ArgumentCompleterAttribute));
        return completer is not null ? ((Type)completer.ConstructorArguments[0].Value!).Name
            : attributes.Any(attribute => attribute.AttributeType == typeof(ValidateSetAttribute)) ? OneOf : null;
    }
}
