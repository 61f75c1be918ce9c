using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Strato.Format.ps1xml and Strato.Types.ps1xml go with the objects that cmdlets emit.</summary>
public sealed class TypeDataTests
{
    private const string Deserialized = "Deserialized.";
    private static readonly XDocument Formats = Load("Strato.Format.ps1xml");
    private static readonly XDocument Types = Load("Strato.Types.ps1xml");

    /// <summary>What cmdlets say they emit, and what that has in it, which Select-Object -ExpandProperty emits.</summary>
    private static readonly IReadOnlyCollection<Type> Emitted = FindEmitted();

    public static TheoryData<string> Names => [.. Emitted.Select(type => type.FullName!).Order(StringComparer.Ordinal)];

    [Fact]
    public void EveryPublicObjectIsEmittedByACmdletThatSaysSo() =>
        Assert.Equal(
            typeof(Vm).Assembly.GetExportedTypes().Where(type => type.Namespace == "Strato" && type != typeof(View)).Select(type => type.FullName!).Order(StringComparer.Ordinal),
            Emitted.Select(type => type.FullName!).Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Names))]
    public void EmittedObjectsHaveAView(string type)
    {
        string[] viewed = [.. Views().Where(view => Selected(view).Contains(type, StringComparer.Ordinal)).Select(view => view.Element("Name")!.Value)];
        string[] shown = [.. Types.Descendants("Type").Where(item => item.Element("Name")!.Value == type && item.Descendants("Name").Any(name => name.Value == "DefaultDisplayPropertySet")).Select(_ => type)];
        Assert.NotEmpty(viewed.Concat(shown));
        Assert.Equal(viewed, viewed.Distinct(StringComparer.Ordinal));
    }

    [Fact]
    public void ViewsAreOfEmittedObjectsAndOfWhatClixmlMakesOfThem() => Assert.All(Views(), view =>
    {
        string[] selected = Selected(view);
        Assert.Equal(2, selected.Length);
        Assert.Equal(Deserialized + selected[0], selected[1]);
        Assert.StartsWith(selected[0] + " ", view.Element("Name")!.Value, StringComparison.Ordinal);
        Assert.Contains(selected[0], Emitted.Select(item => item.FullName!), StringComparer.Ordinal);
    });

    [Fact]
    public void ViewsNamePropertiesAndMethodsThatThereAre() => Assert.All(Views(), view =>
    {
        Type type = Named(Selected(view)[0]);
        string[] scripts = [.. view.Descendants("ScriptBlock").Select(script => script.Value)];
        IEnumerable<string> properties = view.Descendants("PropertyName").Select(name => name.Value).Concat(scripts.SelectMany(script => Found(script, @"\$_\.(\w+)")));
        Assert.All(properties, property => Assert.True(type.GetProperty(property) is not null, $"{view.Element("Name")!.Value}: {type} has no {property}."));
        Assert.All(scripts.SelectMany(script => Found(script, @"\[Strato\.View\]::(\w+)")), method => Assert.NotNull(typeof(View).GetMethod(method)));
    });

    [Fact]
    public void TablesHaveAsManyHeadersAsColumns() => Assert.All(Formats.Descendants("TableControl"), table =>
        Assert.All(table.Descendants("TableRowEntry"), row => Assert.Equal(table.Descendants("TableColumnHeader").Count(), row.Descendants("TableColumnItem").Count())));

    [Fact]
    public void PropertySetsNamePropertiesThatThereAre() => Assert.All(Types.Descendants("ReferencedProperties"), set =>
    {
        string name = set.Ancestors("Type").Single().Element("Name")!.Value;
        Assert.All(set.Elements("Name"), property => Assert.NotNull(Named(name).GetProperty(property.Value)));
    });

    [Fact]
    public void AVmsListNamesItsEngine() =>
        Assert.Contains("EngineVersion", Views().Single(view => view.Element("Name")!.Value == "Strato.Vm list").Descendants("PropertyName").Select(name => name.Value), StringComparer.Ordinal);

    private static IEnumerable<XElement> Views() => Formats.Descendants("View");

    private static string[] Selected(XElement view) => [.. view.Element("ViewSelectedBy")!.Elements("TypeName").Select(name => name.Value)];

    private static IEnumerable<string> Found(string script, string pattern) =>
        Regex.Matches(script, pattern, RegexOptions.None, TimeSpan.FromSeconds(5)).Select(match => match.Groups[1].Value);

    private static Type Named(string name) => typeof(Vm).Assembly.GetType(name, throwOnError: true)!;

    private static XDocument Load(string file) => XDocument.Load(Path.Combine(MetadataTests.Root, "src", "Strato.PowerShell", "Formats", file));

    private static HashSet<Type> FindEmitted()
    {
        HashSet<Type> found = [];
        Queue<Type> open = new(CmdletInfo.All
            .SelectMany(cmdlet => cmdlet.Type.GetCustomAttributes<OutputTypeAttribute>())
            .SelectMany(output => output.Types));
        while (open.TryDequeue(out Type? type))
        {
            Type one = type.GetElementType() ?? type;
            if (one.Namespace == "Strato" && found.Add(one))
            {
                foreach (PropertyInfo property in one.GetProperties())
                {
                    open.Enqueue(property.PropertyType);
                }
            }
        }

        return found;
    }
}
