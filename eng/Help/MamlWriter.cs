using System;
using System.Collections.Generic;
using System.Linq;
using System.Xml.Linq;
using Strato.Tests.CmdletHost;

namespace Strato.Tools.Help;

/// <summary>Writes MAML, the XML that Get-Help reads.</summary>
internal static class MamlWriter
{
    private static readonly XNamespace Msh = "http://msh";
    private static readonly XNamespace Maml = "http://schemas.microsoft.com/maml/2004/10";
    private static readonly XNamespace Command = "http://schemas.microsoft.com/maml/dev/command/2004/10";
    private static readonly XNamespace Dev = "http://schemas.microsoft.com/maml/dev/2004/10";

    public static string Write(IEnumerable<(HelpTopic Topic, CmdletInfo Cmdlet)> topics, string hash)
    {
        XElement root = new(Msh + "helpItems", new XAttribute("schema", "maml"), topics.Select(pair => Topic(pair.Topic, pair.Cmdlet)));
        XDocument document = new(new XComment($" Made by ./build.sh help-files of docs/cmdlets/*.md, whose SHA-256 is {hash}. Edit those. "), root);
        return $"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n{document.ToString().ReplaceLineEndings("\n")}\n";
    }

    private static XElement Topic(HelpTopic topic, CmdletInfo cmdlet) => new(
        Command + "command",
        new XAttribute(XNamespace.Xmlns + "maml", Maml.NamespaceName),
        new XAttribute(XNamespace.Xmlns + "command", Command.NamespaceName),
        new XAttribute(XNamespace.Xmlns + "dev", Dev.NamespaceName),
        new XElement(
            Command + "details",
            new XElement(Command + "name", topic.Name),
            new XElement(Command + "verb", cmdlet.Attribute.VerbName),
            new XElement(Command + "noun", cmdlet.Attribute.NounName),
            new XElement(Maml + "description", Paragraphs(topic.Synopsis))),
        new XElement(Maml + "description", Paragraphs(topic.Description)),
        new XElement(
            Command + "syntax",
            Syntax.Sets(cmdlet).Select(set => new XElement(
                Command + "syntaxItem",
                new XElement(Maml + "name", topic.Name),
                Syntax.Parameters(cmdlet, set).Select(parameter => Parameter(topic, cmdlet, parameter))))),
        new XElement(Command + "parameters", Syntax.All(cmdlet).Select(pair => Parameter(topic, cmdlet, pair.Parameter))),
        new XElement(Command + "inputTypes", topic.Inputs.Select(input => TypeAndText("inputType", input))),
        new XElement(Command + "returnValues", topic.Outputs.Select(output => TypeAndText("returnValue", output))),
        new XElement(Maml + "alertSet", new XElement(Maml + "alert", Paragraphs(topic.Notes))),
        new XElement(Command + "examples", topic.Examples.Select(Example)),
        new XElement(
            Command + "relatedLinks",
            topic.Links.Select(link => new XElement(
                Maml + "navigationLink",
                new XElement(Maml + "linkText", link.Text),
                new XElement(Maml + "uri", link.Target.Contains("://", StringComparison.Ordinal) ? link.Target : "")))));

    private static XElement Parameter(HelpTopic topic, CmdletInfo cmdlet, HelpParameter parameter)
    {
        XElement element = new(
            Command + "parameter",
            new XAttribute("required", Text(parameter.Required)),
            new XAttribute("variableLength", Text(parameter.Type.IsArray)),
            new XAttribute("globbing", Text(parameter.Wildcards)),
            new XAttribute("pipelineInput", parameter.Pipeline),
            new XAttribute("position", parameter.PositionName.ToLowerInvariant()),
            new XAttribute("aliases", parameter.Aliases.Count == 0 ? "none" : string.Join(", ", parameter.Aliases)),
            new XElement(Maml + "name", parameter.Name),
            new XElement(Maml + "description", Paragraphs(topic.Parameters.GetValueOrDefault(parameter.Name) ?? Syntax.FirstText(cmdlet, parameter.Name))));
        if (!parameter.IsSwitch)
        {
            element.Add(new XElement(Command + "parameterValue", new XAttribute("required", "true"), new XAttribute("variableLength", Text(parameter.Type.IsArray)), parameter.TypeName));
        }

        element.Add(new XElement(Dev + "type", new XElement(Maml + "name", parameter.TypeName), new XElement(Maml + "uri")), new XElement(Dev + "defaultValue", parameter.Default));
        return element;
    }

    private static XElement Example(HelpExample example) => new(
        Command + "example",
        new XElement(Maml + "title", $"--- {example.Title} ---"),
        new XElement(Dev + "code", example.Code),
        new XElement(Dev + "remarks", Paragraphs(example.Remarks)));

    private static XElement TypeAndText(string name, (string Type, string Text) item) => new(
        Command + name,
        new XElement(Dev + "type", new XElement(Maml + "name", item.Type)),
        new XElement(Maml + "description", Paragraphs(item.Text)));

    /// <summary>Paragraphs end at empty lines; marks of markdown that mean nothing on a terminal go.</summary>
    private static IEnumerable<XElement> Paragraphs(string text) => text
        .Split("\n\n", StringSplitOptions.RemoveEmptyEntries)
        .Select(paragraph => new XElement(Maml + "para", paragraph.StartsWith("- ", StringComparison.Ordinal)
            ? paragraph.Replace("`", "", StringComparison.Ordinal)
            : paragraph.Replace('\n', ' ').Replace("`", "", StringComparison.Ordinal)));

    private static string Text(bool value) => value ? "true" : "false";
}
