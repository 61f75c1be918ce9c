using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using Strato.Tests.CmdletHost;

namespace Strato.Tools.Help;

/// <summary>The folder of markdown help, one file a cmdlet, and the MAML made of it.</summary>
public static class HelpFiles
{
    /// <summary>PowerShell looks for this name beside the assembly's module.</summary>
    public const string MamlName = "Strato.PowerShell.dll-Help.xml";

    /// <summary>The cmdlets of the module by name.</summary>
    public static IReadOnlyList<CmdletInfo> Cmdlets { get; } = [.. CmdletInfo.All.OrderBy(cmdlet => cmdlet.Name, StringComparer.Ordinal)];

    /// <summary>Brings all files up to date; a cmdlet without one gets one that is to be filled.</summary>
    public static void Update(string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (CmdletInfo cmdlet in Cmdlets)
        {
            string path = Path.Combine(folder, $"{cmdlet.Name}.md");
            string before = File.Exists(path) ? File.ReadAllText(path) : "";
            string after = Updated(before, cmdlet);
            if (after != before)
            {
                File.WriteAllText(path, after);
            }
        }
    }

    /// <summary>A file's text with its syntax and tables as the metadata has them.</summary>
    public static string Updated(string text, CmdletInfo cmdlet) => MarkdownWriter.Write(HelpTopic.Parse(text, cmdlet.Name), cmdlet);

    /// <summary>The MAML of all files.</summary>
    public static string Build(string folder) => MamlWriter.Write(
        Cmdlets.Select(cmdlet => (HelpTopic.Parse(File.ReadAllText(Path.Combine(folder, $"{cmdlet.Name}.md")), cmdlet.Name), cmdlet)),
        Hash(folder));

    /// <summary>The about_ topics of a folder: the name of the file that PowerShell looks for, and its text.</summary>
    public static IEnumerable<(string Name, string Text)> Abouts(string folder) => Directory.GetFiles(folder, "about_*.md").Order(StringComparer.Ordinal)
        .Select(path => Path.GetFileNameWithoutExtension(path)).Select(name => ($"{name}.help.txt", AboutWriter.Write(name, File.ReadAllText(Path.Combine(folder, $"{name}.md")))));

    /// <summary>SHA-256 over all files in the order of their names; it stands in the MAML.</summary>
    public static string Hash(string folder)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string path in Directory.GetFiles(folder, "*.md").Order(StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes(Path.GetFileName(path) + "\n"));
            hash.AppendData(File.ReadAllBytes(path));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
