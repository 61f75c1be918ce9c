namespace Strato.Client;

/// <summary>How a VM's configuration is written.</summary>
public enum VmConfigurationFormat
{
    /// <summary>A PowerShell data file, with comments: as Import-PowerShellDataFile reads it.</summary>
    Psd1,

    /// <summary>What the engine's <c>-config</c> reads, with what only the cmdlets know in a section of its own.</summary>
    Json,
}
