using System;
using System.IO;
using System.Linq;
using Strato.Tests.CmdletHost;
using Strato.Tools.Help;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Markdown, MAML and the cmdlets' metadata say the same.</summary>
public sealed class HelpTests
{
    private static readonly string Folder = Path.Combine(MetadataTests.Root, "docs", "cmdlets");
    private static readonly string Maml = Path.Combine(MetadataTests.Root, "en-US", HelpFiles.MamlName);

    public static TheoryData<string> Names => MetadataTests.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void TheMarkdownHasTheSyntaxOfTheCmdlet(string name)
    {
        string text = File.ReadAllText(Path.Combine(Folder, $"{name}.md"));
        Assert.Equal(HelpFiles.Updated(text, CmdletInfo.Get(name)), text);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void TheMarkdownIsFilledIn(string name)
    {
        HelpTopic topic = HelpTopic.Parse(File.ReadAllText(Path.Combine(Folder, $"{name}.md")), name);
        Assert.EndsWith(".", topic.Synopsis, StringComparison.Ordinal);
        Assert.True(topic.Description.Length > 50);
        Assert.True(topic.Examples.Count >= 3);
        Assert.All(topic.Examples, example => Assert.True(example.Code.Length > 0 && example.Remarks.Length > 0));
        Assert.DoesNotContain("Fill this in", File.ReadAllText(Path.Combine(Folder, $"{name}.md")), StringComparison.Ordinal);
        Assert.All(CmdletInfo.Get(name).Parameters, parameter => Assert.True(topic.Parameters[parameter.Name].Length > 10, parameter.Name));
        string[] known = [.. CmdletInfo.Get(name).Parameters.Select(parameter => parameter.Name), "WhatIf", "Confirm", "CommonParameters"];
        Assert.All(topic.Parameters.Keys, parameter => Assert.Contains(parameter, known));
    }

    [Fact]
    public void TheMamlIsMadeOfTheMarkdown()
    {
        string maml = File.ReadAllText(Maml);
        Assert.True(maml.Contains(HelpFiles.Hash(Folder), StringComparison.Ordinal), "docs/cmdlets has changed since en-US was made: run ./build.sh help-files.");
        Assert.Equal(HelpFiles.Build(Folder), maml);
    }

    [Fact]
    public void TheAboutTopicsAreMadeOfTheMarkdown()
    {
        (string Name, string Text)[] topics = [.. HelpFiles.Abouts(Path.Combine(MetadataTests.Root, "docs", "about"))];
        string folder = Path.Combine(MetadataTests.Root, "en-US");
        Assert.Equal(topics.Select(topic => topic.Name), Directory.GetFiles(folder, "about_*").Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));
        Assert.All(topics, topic =>
        {
            Assert.True(topic.Text == File.ReadAllText(Path.Combine(folder, topic.Name)), $"{topic.Name} differs from its page in docs/about: run ./build.sh help-files.");
            Assert.All(topic.Text.Split('\n'), line => Assert.True(line.Length <= 80, $"{topic.Name}: '{line}' is longer than 80 characters"));
        });
    }

    [Fact]
    public void EveryFileIsAboutACmdlet() => Assert.Equal(
        CmdletInfo.All.Select(cmdlet => cmdlet.Name).Order(StringComparer.Ordinal),
        Directory.GetFiles(Folder, "*.md").Select(path => Path.GetFileNameWithoutExtension(path)!).Order(StringComparer.Ordinal));
}
