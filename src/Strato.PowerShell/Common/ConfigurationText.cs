using Strato.Client;

namespace Strato.PowerShell;

/// <summary>What cmdlets say of a configuration file's form.</summary>
internal static class ConfigurationText
{
    /// <summary>The form that <c>-Format</c> names; null for what the file's name says.</summary>
    public static VmConfigurationFormat? FormatOf(string? name) => name?.ToUpperInvariant() switch
    {
        null => null,
        "JSON" => VmConfigurationFormat.Json,
        _ => VmConfigurationFormat.Psd1,
    };
}
