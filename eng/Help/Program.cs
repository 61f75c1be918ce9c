using System;
using System.IO;
using System.Linq;
using Strato.Tools.Help;

switch (args)
{
    case ["update", string folder]:
        HelpFiles.Update(folder);
        return 0;
    case ["build", string folder, string target]:
        Directory.CreateDirectory(target);
        File.WriteAllText(Path.Combine(target, HelpFiles.MamlName), HelpFiles.Build(folder));
        return 0;
    default:
        Console.Error.WriteLine($"usage: Help update docs/cmdlets | Help build docs/cmdlets en-US (given: {string.Join(' ', args.DefaultIfEmpty("nothing"))})");
        return 2;
}
