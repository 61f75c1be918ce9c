using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using Strato.PowerShell;

namespace Strato.Tests.CmdletHost;

/// <summary>A cmdlet as its metadata describes it.</summary>
public sealed class CmdletInfo
{
    private static readonly Dictionary<string, CmdletInfo> Known = typeof(StratoCmdlet).Assembly.GetExportedTypes()
        .Where(type => type.GetCustomAttribute<CmdletAttribute>() is not null)
        .Select(type => new CmdletInfo(type))
        .ToDictionary(cmdlet => cmdlet.Name, StringComparer.OrdinalIgnoreCase);

    private CmdletInfo(Type type)
    {
        Type = type;
        Attribute = type.GetCustomAttribute<CmdletAttribute>()!;
        Parameters =
        [
            .. type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
                .Where(property => property.GetCustomAttributes<ParameterAttribute>().Any())
                .Select(property => new ParameterInfo(property)),
        ];
        string[] named = [.. Parameters.SelectMany(parameter => parameter.Sets.Keys).Where(set => set != ParameterAttribute.AllParameterSets).Distinct(StringComparer.Ordinal)];
        Sets = named.Length > 0 ? named : [ParameterAttribute.AllParameterSets];
    }

    /// <summary>The module's cmdlets, by name.</summary>
    public static IReadOnlyCollection<CmdletInfo> All => Known.Values;

    public Type Type { get; }

    public CmdletAttribute Attribute { get; }

    public string Name => $"{Attribute.VerbName}-{Attribute.NounName}";

    public IReadOnlyList<ParameterInfo> Parameters { get; }

    /// <summary>Names of the parameter sets.</summary>
    public IReadOnlyList<string> Sets { get; }

    public static CmdletInfo Get(string name) =>
        Known.TryGetValue(name, out CmdletInfo? cmdlet) ? cmdlet : throw new BindingException("CommandNotFound", $"The cmdlet test host knows no cmdlet '{name}'.");

    /// <summary>By name, alias or the beginning of one that no other parameter shares.</summary>
    public ParameterInfo Find(string name)
    {
        ParameterInfo[] found = [.. Parameters.Where(parameter => parameter.Names.Contains(name, StringComparer.OrdinalIgnoreCase))];
        if (found.Length == 0)
        {
            found = [.. Parameters.Where(parameter => parameter.Names.Any(n => n.StartsWith(name, StringComparison.OrdinalIgnoreCase)))];
        }

        return found.Length == 1
            ? found[0]
            : throw new BindingException("NamedParameterNotFound", $"A parameter cannot be found that matches parameter name '{name}' of {Name}.");
    }
}

/// <summary>A parameter as its metadata describes it.</summary>
public sealed class ParameterInfo
{
    internal ParameterInfo(PropertyInfo property)
    {
        Property = property;
        Sets = property.GetCustomAttributes<ParameterAttribute>().ToDictionary(attribute => attribute.ParameterSetName, StringComparer.Ordinal);
        Names = [property.Name, .. property.GetCustomAttribute<AliasAttribute>()?.AliasNames ?? []];
    }

    public PropertyInfo Property { get; }

    public string Name => Property.Name;

    /// <summary>The name and the aliases.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Its declaration by parameter set.</summary>
    public IReadOnlyDictionary<string, ParameterAttribute> Sets { get; }

    /// <summary>Its declaration in a set, or null if it isn't part of that set.</summary>
    public ParameterAttribute? In(string set) => Sets.GetValueOrDefault(set) ?? Sets.GetValueOrDefault(ParameterAttribute.AllParameterSets);
}

/// <summary>An error before the cmdlet runs: its arguments don't fit.</summary>
public sealed class BindingException : Exception
{
    public BindingException(string id, string message, Exception? inner = null)
        : base(message, inner) => Id = id;

    public string Id { get; }
}
