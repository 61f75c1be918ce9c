using System.Collections.Generic;
using System.Linq;
using System.Text;
using Strato.Tests.CmdletHost;

namespace Strato.Tools.Help;

/// <summary>Writes a topic in the PlatyPS schema, with the facts of the metadata.</summary>
internal static class MarkdownWriter
{
    private const string Fill = "{{ Fill this in }}";

    public static string Write(HelpTopic topic, CmdletInfo cmdlet)
    {
        StringBuilder text = new();
        text.Append($"---\nexternal help file: {HelpFiles.MamlName}\nModule Name: Strato\nonline version:\nschema: 2.0.0\n---\n\n# {topic.Name}\n\n");
        Section("SYNOPSIS", topic.Synopsis);
        text.Append("## SYNTAX\n\n");
        IReadOnlyList<string> sets = Syntax.Sets(cmdlet);
        foreach (string set in sets)
        {
            if (sets.Count > 1)
            {
                text.Append($"### {set}{(set == sets[0] ? " (Default)" : "")}\n");
            }

            text.Append($"```\n{topic.Name} {string.Join(' ', Syntax.Parameters(cmdlet, set).Select(parameter => parameter.ToString()).Append("[<CommonParameters>]"))}\n```\n\n");
        }

        Section("DESCRIPTION", topic.Description);
        text.Append("## EXAMPLES\n\n");
        foreach (HelpExample example in topic.Examples)
        {
            text.Append($"### {example.Title}\n{(example.Trial.Length == 0 ? "" : example.Trial + "\n")}```powershell\n{example.Code}\n```\n\n{example.Remarks}\n\n");
        }

        text.Append("## PARAMETERS\n\n");
        foreach ((HelpParameter parameter, string inSets) in Syntax.All(cmdlet))
        {
            string about = topic.Parameters.GetValueOrDefault(parameter.Name) ?? Syntax.FirstText(cmdlet, parameter.Name);
            text.Append($"### -{parameter.Name}\n{about}\n\n```yaml\nType: {parameter.TypeName}\nParameter Sets: {inSets}\nAliases: {string.Join(", ", parameter.Aliases)}\n\n".Replace("Aliases: \n", "Aliases:\n", System.StringComparison.Ordinal));
            text.Append($"Required: {parameter.Required}\nPosition: {parameter.PositionName}\nDefault value: {parameter.Default}\nAccept pipeline input: {parameter.Pipeline}\nAccept wildcard characters: {parameter.Wildcards}\n```\n\n");
        }

        text.Append("### CommonParameters\nThis cmdlet supports the common parameters: -Debug, -ErrorAction, -ErrorVariable, -InformationAction, -InformationVariable, -OutBuffer, -OutVariable, -PipelineVariable, -ProgressAction, -Verbose, -WarningAction, and -WarningVariable. For more information, see about_CommonParameters.\n\n");
        Types("INPUTS", topic.Inputs);
        Types("OUTPUTS", topic.Outputs);
        text.Append($"## NOTES\n\n{(topic.Notes.Length == 0 ? "" : topic.Notes + "\n\n")}## RELATED LINKS\n\n");
        text.Append(string.Join("\n\n", topic.Links.Select(link => $"[{link.Text}]({link.Target})")));
        return text.ToString().TrimEnd('\n') + "\n";

        void Section(string title, string body) => text.Append($"## {title}\n{(body.Length == 0 ? Fill : body)}\n\n");

        void Types(string title, List<(string Type, string Text)> types)
        {
            text.Append($"## {title}\n\n");
            foreach ((string type, string about) in types)
            {
                text.Append($"### {type}\n{(about.Length == 0 ? "" : about + "\n")}\n");
            }
        }
    }
}
