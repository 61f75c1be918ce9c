using System.Collections.Generic;
using Strato.Client.Configurations;

namespace Strato.Client;

/// <summary>The settings that a configuration file gives, read but not checked against anything.</summary>
public sealed class VmConfigurationDocument
{
    internal VmConfigurationDocument(ConfigValue value, IReadOnlyList<string> warnings)
    {
        Value = value;
        Warnings = warnings;
    }

    /// <summary>What the file says and no VM can have, one sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>The name that it gives; null for none.</summary>
    public string? Name => Value.Map().Find(VmForm.Name) is TextNode { Value: { Length: > 0 } name } ? name : null;

    internal ConfigValue Value { get; }

    /// <summary>Whether the vsock's address is to be one that no VM has; the document's own is but one that none had when it was read.</summary>
    internal bool ChoosesCid { get; init; }
}
