using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Strato.Client.Configurations;

/// <summary>Writes a PowerShell data file (.psd1) that <see cref="DataFileReader"/> and Import-PowerShellDataFile read.</summary>
internal static class DataFileWriter
{
    private const string Indent = "    ";

    /// <summary>PowerShell's multipliers: 1024, and its powers.</summary>
    internal static readonly string[] Units = ["KB", "MB", "GB", "TB", "PB"];

    /// <param name="map">What is written.</param>
    /// <param name="header">Lines of comment before it.</param>
    /// <param name="fields">What is known of the map's values: comments, and which are sizes.</param>
    internal static string Write(MapNode map, IReadOnlyList<string> header, IReadOnlyList<IField> fields)
    {
        StringBuilder text = new();
        foreach (string line in header)
        {
            text.Append("# ").Append(line).Append('\n');
        }

        WriteMap(text, map, fields, "");
        return text.Append('\n').ToString();
    }

    /// <summary>A value in one line, as it stands in a file.</summary>
    internal static string Inline(ConfigNode node, IField? field)
    {
        StringBuilder text = new();
        switch (node)
        {
            case ListNode list:
                text.Append("@(");
                for (int i = 0; i < list.Items.Count; i++)
                {
                    text.Append(i == 0 ? "" : ", ").Append(Inline(list.Items[i], field));
                }

                return text.Append(')').ToString();
            case MapNode map:
                text.Append("@{ ");
                foreach ((string key, ConfigNode value) in map.Entries)
                {
                    text.Append(text.Length == 3 ? "" : "; ").Append(key).Append(" = ").Append(Inline(value, FieldOf(field?.Inner ?? [], key)));
                }

                return text.Append(" }").ToString();
            default:
                return Scalar(node, field?.IsSize == true);
        }
    }

    internal static string Size(long bytes)
    {
        int unit = -1;
        while (bytes != 0 && unit < Units.Length - 1 && bytes % 1024 == 0)
        {
            bytes /= 1024;
            unit++;
        }

        return bytes.ToString(CultureInfo.InvariantCulture) + (unit < 0 ? "" : Units[unit]);
    }

    private static void WriteMap(StringBuilder text, MapNode map, IReadOnlyList<IField> fields, string indent)
    {
        text.Append("@{\n");
        string inner = indent + Indent;
        foreach ((string key, ConfigNode value) in map.Entries)
        {
            IField? field = FieldOf(fields, key);
            bool several = value is MapNode or ListNode { Items: [MapNode, ..] };
            if (several && field?.Note is { } above)
            {
                text.Append(inner).Append("# ").Append(above).Append('\n');
            }

            text.Append(inner).Append(key).Append(" = ");
            switch (value)
            {
                case MapNode nested:
                    WriteMap(text, nested, field?.Inner ?? [], inner);
                    break;
                case ListNode { Items: [MapNode, ..] } list:
                    text.Append("@(\n");
                    foreach (ConfigNode item in list.Items)
                    {
                        text.Append(inner).Append(Indent);
                        WriteMap(text, (MapNode)item, field?.Inner ?? [], inner + Indent);
                        text.Append('\n');
                    }

                    text.Append(inner).Append(')');
                    break;
                default:
                    text.Append(Inline(value, field));
                    break;
            }

            text.Append(!several && field?.Note is { } note ? $"  # {note}\n" : "\n");
        }

        text.Append(indent).Append('}');
    }

    private static string Scalar(ConfigNode node, bool isSize) => node switch
    {
        TextNode text => Quote(text.Value),
        NumberNode number => isSize ? Size(number.Value) : number.Value.ToString(CultureInfo.InvariantCulture),
        FlagNode flag => flag.Value ? "$true" : "$false",
        _ => "$null",
    };

    /// <summary>A text in single quotes, in which nothing but quotes has a meaning.</summary>
    private static string Quote(string value)
    {
        StringBuilder text = new("'");
        foreach (char c in value)
        {
            text.Append(c).Append(DataFileReader.IsSingleQuote(c) ? c.ToString() : "");
        }

        return text.Append('\'').ToString();
    }

    private static IField? FieldOf(IReadOnlyList<IField> fields, string name)
    {
        foreach (IField field in fields)
        {
            if (field.Name == name)
            {
                return field;
            }
        }

        return null;
    }
}
