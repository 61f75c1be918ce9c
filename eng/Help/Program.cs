using System;
using System.IO;
using System.Linq;
using Strato.Tools.Help;

switch (args)
{
    case ["update", string folder]:
        HelpFiles.Update(folder);
        return 0;
    case ["build", string folder, string abouts, string target]:
        Directory.CreateDirectory(target);
        File.WriteAllText(Path.Combine(target, HelpFiles.MamlName), HelpFiles.Build(folder));
        foreach ((string name, string text) in HelpFiles.Abouts(abouts))
        {
            File.WriteAllText(Path.Combine(target, name), text);
        }

        return 0;
    default:
        Console.Error.WriteLine($"usage: Help update docs/cmdlets | Help build docs/cmdlets docs/about en-US (given: {string.Join(' ', args.DefaultIfEmpty("nothing"))})");
        return 2;
}
