namespace System.Management.Automation;

[AttributeUsage(AttributeTargets.All)]
public abstract class CmdletMetadataAttribute : Attribute;

[AttributeUsage(AttributeTargets.All)]
public abstract class ParsingBaseAttribute : CmdletMetadataAttribute;

public enum ConfirmImpact
{
    None,
    Low,
    Medium,
    High,
}

public abstract class CmdletCommonMetadataAttribute : CmdletMetadataAttribute
{
    public string DefaultParameterSetName { get; set; } = ParameterAttribute.AllParameterSets;

    public bool SupportsShouldProcess { get; set; }

    public bool SupportsPaging { get; set; }

    public ConfirmImpact ConfirmImpact { get; set; } = ConfirmImpact.Medium;

    public string? HelpUri { get; set; }
}

[AttributeUsage(AttributeTargets.Class)]
public sealed class CmdletAttribute : CmdletCommonMetadataAttribute
{
    public CmdletAttribute(string verbName, string nounName)
    {
        VerbName = verbName;
        NounName = nounName;
    }

    public string VerbName { get; }

    public string NounName { get; }
}

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property, AllowMultiple = true)]
public sealed class ParameterAttribute : ParsingBaseAttribute
{
    public const string AllParameterSets = "__AllParameterSets";

    public int Position { get; set; } = int.MinValue;

    public string ParameterSetName { get; set; } = AllParameterSets;

    public bool Mandatory { get; set; }

    public bool ValueFromPipeline { get; set; }

    public bool ValueFromPipelineByPropertyName { get; set; }

    public bool ValueFromRemainingArguments { get; set; }

    public string? HelpMessage { get; set; }

    public bool DontShow { get; set; }
}

[AttributeUsage(AttributeTargets.Class | AttributeTargets.Field | AttributeTargets.Property)]
public sealed class AliasAttribute : ParsingBaseAttribute
{
    public AliasAttribute(params string[] aliasNames) => AliasNames = aliasNames;

    public System.Collections.Generic.IList<string> AliasNames { get; }
}

[AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
public sealed class OutputTypeAttribute : CmdletMetadataAttribute
{
    public OutputTypeAttribute(params Type[] type) => Types = type;

    public OutputTypeAttribute(params string[] type) => Names = type;

    public System.Collections.Generic.IReadOnlyList<Type> Types { get; } = [];

    public System.Collections.Generic.IReadOnlyList<string> Names { get; } = [];
}

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class SupportsWildcardsAttribute : ParsingBaseAttribute;

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class AllowEmptyStringAttribute : CmdletMetadataAttribute;

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class AllowNullAttribute : CmdletMetadataAttribute;

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class AllowEmptyCollectionAttribute : CmdletMetadataAttribute;

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public class ArgumentCompleterAttribute : Attribute
{
    public ArgumentCompleterAttribute(Type type) => Type = type;

    public Type Type { get; }
}
