namespace Strato.Protocol;

/// <summary>The version of this build, which all assemblies share.</summary>
public static class StratoVersion
{
    /// <summary>As in Directory.Build.props; a test holds them together.</summary>
    public const string Number = "0.1.0";

    /// <summary>What QMP's greeting names as the package.</summary>
    public const string Package = "strato-" + Number;
}
