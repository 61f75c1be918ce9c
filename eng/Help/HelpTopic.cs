using System;
using System.Collections.Generic;
using System.Linq;

namespace Strato.Tools.Help;

/// <summary>
/// An example: its title, what is typed, a remark, and what a test needs to run it: a comment of markdown that readers don't see,
/// whose words tests/Pester/Examples.Tests.ps1 tells.
/// </summary>
public sealed record HelpExample(string Title, string Code, string Remarks, string Trial);

/// <summary>The prose of one cmdlet's help, read from markdown in the PlatyPS schema (2.0.0).</summary>
public sealed class HelpTopic
{
    private HelpTopic(string name) => Name = name;

    public string Name { get; }

    public string Synopsis { get; private set; } = "";

    public string Description { get; private set; } = "";

    public List<HelpExample> Examples { get; } = [];

    /// <summary>Text by parameter.</summary>
    public Dictionary<string, string> Parameters { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Text by type.</summary>
    public List<(string Type, string Text)> Inputs { get; } = [];

    /// <summary>Text by type.</summary>
    public List<(string Type, string Text)> Outputs { get; } = [];

    public string Notes { get; private set; } = "";

    public List<(string Text, string Target)> Links { get; } = [];

    public static HelpTopic Parse(string text, string name)
    {
        HelpTopic topic = new(name);
        foreach ((string title, string body) in Split(text, "## "))
        {
            switch (title)
            {
                case "SYNOPSIS":
                    topic.Synopsis = body;
                    break;
                case "DESCRIPTION":
                    topic.Description = body;
                    break;
                case "EXAMPLES":
                    topic.Examples.AddRange(Split(body, "### ").Select(part => Example(part.Title, part.Body)));
                    break;
                case "PARAMETERS":
                    foreach ((string parameter, string about) in Split(body, "### "))
                    {
                        topic.Parameters[parameter.TrimStart('-')] = WithoutFence(about, "```yaml");
                    }

                    break;
                case "INPUTS":
                    topic.Inputs.AddRange(Split(body, "### "));
                    break;
                case "OUTPUTS":
                    topic.Outputs.AddRange(Split(body, "### "));
                    break;
                case "NOTES":
                    topic.Notes = body;
                    break;
                case "RELATED LINKS":
                    topic.Links.AddRange(body.Split('\n').Where(line => line.StartsWith('[')).Select(Link));
                    break;
            }
        }

        return topic;
    }

    private static HelpExample Example(string title, string body)
    {
        string trial = "";
        if (body.StartsWith("<!--", StringComparison.Ordinal))
        {
            int end = body.IndexOf("-->", StringComparison.Ordinal) + 3;
            trial = body[..end];
            body = body[end..].TrimStart('\n');
        }

        return new HelpExample(title, Fenced(body, "```powershell"), WithoutFence(body, "```powershell"), trial);
    }

    private static (string Text, string Target) Link(string line)
    {
        int middle = line.IndexOf("](", StringComparison.Ordinal);
        return (line[1..middle], line[(middle + 2)..].TrimEnd(')', ' '));
    }

    /// <summary>The parts that begin with a heading of one level; headings inside code fences are text.</summary>
    private static List<(string Title, string Body)> Split(string text, string marker)
    {
        List<(string, string)> parts = [];
        List<string>? body = null;
        string title = "";
        bool fenced = false;
        foreach (string line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            fenced ^= line.StartsWith("```", StringComparison.Ordinal);
            if (!fenced && line.StartsWith(marker, StringComparison.Ordinal))
            {
                Add();
                title = line[marker.Length..].Trim();
                body = [];
            }
            else
            {
                body?.Add(line);
            }
        }

        Add();
        return parts;

        void Add()
        {
            if (body is not null)
            {
                parts.Add((title, string.Join('\n', body).Trim('\n')));
            }
        }
    }

    private static string Fenced(string text, string fence)
    {
        int start = text.IndexOf(fence + "\n", StringComparison.Ordinal);
        if (start < 0)
        {
            return "";
        }

        start += fence.Length + 1;
        return text[start..text.IndexOf("\n```", start, StringComparison.Ordinal)];
    }

    private static string WithoutFence(string text, string fence)
    {
        int start = text.IndexOf(fence + "\n", StringComparison.Ordinal);
        if (start < 0)
        {
            return text.Trim('\n');
        }

        int end = text.IndexOf("\n```", start, StringComparison.Ordinal) + 4;
        return (text[..start].TrimEnd('\n') + "\n\n" + text[end..].TrimStart('\n')).Trim('\n');
    }
}
