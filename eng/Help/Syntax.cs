using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using Strato.Tests.CmdletHost;
using ParameterInfo = Strato.Tests.CmdletHost.ParameterInfo;

namespace Strato.Tools.Help;

/// <summary>A parameter as help shows it in one parameter set.</summary>
public sealed record HelpParameter(string Name, Type Type, bool Required, int Position, string Pipeline, bool Wildcards, IReadOnlyList<string> Aliases, string Default)
{
    /// <summary>Such as <c>String[]</c>.</summary>
    public string TypeName => Nullable.GetUnderlyingType(Type)?.Name ?? Type.Name;

    public bool IsSwitch => Type == typeof(SwitchParameter);

    /// <summary>PlatyPS's word for the position.</summary>
    public string PositionName => Position < 0 ? "Named" : Position.ToString(System.Globalization.CultureInfo.InvariantCulture);

    public override string ToString()
    {
        string name = Position >= 0 ? $"[-{Name}]" : $"-{Name}";
        string whole = IsSwitch ? name : $"{name} <{TypeName}>";
        return Required ? whole : $"[{whole}]";
    }
}

/// <summary>What the metadata says about a cmdlet's parameters.</summary>
public static class Syntax
{
    private static readonly (string Name, string Alias, string Text)[] Common =
    [
        ("WhatIf", "wi", "Shows what would happen if the cmdlet runs. The cmdlet is not run."),
        ("Confirm", "cf", "Prompts you for confirmation before running the cmdlet."),
    ];

    /// <summary>Names of the sets, the default first; one of no name shows as the only one.</summary>
    public static IReadOnlyList<string> Sets(CmdletInfo cmdlet) =>
        [.. cmdlet.Sets.OrderByDescending(set => set == cmdlet.Attribute.DefaultParameterSetName)];

    /// <summary>The parameters of a set in the order of its syntax line.</summary>
    public static IReadOnlyList<HelpParameter> Parameters(CmdletInfo cmdlet, string set) =>
    [
        .. cmdlet.Parameters
            .Where(parameter => parameter.In(set) is not null)
            .Select(parameter => Describe(parameter, parameter.In(set)!, cmdlet))
            .OrderBy(parameter => parameter.Position < 0 ? int.MaxValue : parameter.Position)
            .ThenByDescending(parameter => parameter.Required),
        .. Shared(cmdlet),
    ];

    /// <summary>All parameters, by name, each with the sets it is in.</summary>
    public static IReadOnlyList<(HelpParameter Parameter, string Sets)> All(CmdletInfo cmdlet) =>
    [
        .. cmdlet.Parameters
            .OrderBy(parameter => parameter.Name, StringComparer.Ordinal)
            .Select(parameter => (Describe(parameter, parameter.In(Sets(cmdlet).First(set => parameter.In(set) is not null))!, cmdlet), SetNames(cmdlet, parameter))),
        .. Shared(cmdlet).Select(parameter => (parameter, "(All)")),
    ];

    /// <summary>The text for a parameter that has none yet.</summary>
    public static string FirstText(CmdletInfo cmdlet, string name) =>
        Common.FirstOrDefault(common => common.Name == name).Text ?? cmdlet.Find(name).Sets.Values.First().HelpMessage ?? "";

    private static IEnumerable<HelpParameter> Shared(CmdletInfo cmdlet) => cmdlet.Attribute.SupportsShouldProcess
        ? Common.Select(common => new HelpParameter(common.Name, typeof(SwitchParameter), Required: false, -1, "False", Wildcards: false, [common.Alias], "None"))
        : [];

    private static HelpParameter Describe(ParameterInfo parameter, ParameterAttribute declared, CmdletInfo cmdlet)
    {
        string pipeline = (declared.ValueFromPipeline, declared.ValueFromPipelineByPropertyName) switch
        {
            (true, true) => "True (ByValue, ByPropertyName)",
            (true, false) => "True (ByValue)",
            (false, true) => "True (ByPropertyName)",
            _ => "False",
        };
        object? value = parameter.Property.PropertyType == typeof(SwitchParameter) ? "False" : parameter.Property.GetValue(Activator.CreateInstance(cmdlet.Type));
        return new HelpParameter(
            parameter.Name,
            parameter.Property.PropertyType,
            declared.Mandatory,
            declared.Position,
            pipeline,
            parameter.Property.GetCustomAttribute<SupportsWildcardsAttribute>() is not null,
            [.. parameter.Names.Skip(1)],
            value is null or 0 or 0L ? "None" : value.ToString()!);
    }

    private static string SetNames(CmdletInfo cmdlet, ParameterInfo parameter) =>
        Sets(cmdlet).All(set => parameter.In(set) is not null) ? "(All)" : string.Join(", ", Sets(cmdlet).Where(set => parameter.In(set) is not null));
}
