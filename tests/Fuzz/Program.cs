using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

namespace Strato.Tests.Fuzz;

internal static class Program
{
    private const string Usage = """
        usage: Strato.Tests.Fuzz [--seconds N] [--seed N] [TARGET…]    tries damaged inputs, N seconds (60) a target
               Strato.Tests.Fuzz TARGET FILE                          tries that input
        """;

    private static int Main(string[] args)
    {
        int seconds = 60;
        int seed = Random.Shared.Next();
        List<string> words = [];
        for (int i = 0; i < args.Length; i++)
        {
            if (args[i] is "--seconds" or "--seed" && i + 1 < args.Length && int.TryParse(args[i + 1], CultureInfo.InvariantCulture, out int number))
            {
                (seconds, seed) = args[i++] == "--seconds" ? (number, seed) : (seconds, number);
            }
            else
            {
                words.Add(args[i]);
            }
        }

        Fuzzer.SilenceLog();
        if (words is [string one, string file] && Fuzzer.Targets.Contains(one) && File.Exists(file))
        {
            return Report(one, Fuzzer.Replay(one, File.ReadAllBytes(file)), $"of {file}") ? 0 : 1;
        }

        if (words.Find(word => !Fuzzer.Targets.Contains(word)) is { } unknown)
        {
            Console.Error.WriteLine($"'{unknown}' is no target; there are: {string.Join(", ", Fuzzer.Targets)}\n{Usage}");
            return 2;
        }

        int failed = 0;
        IReadOnlyCollection<string> targets = words.Count > 0 ? words : Fuzzer.Targets;
        foreach (string target in targets)
        {
            FuzzResult result = Fuzzer.Run(target, seed, long.MaxValue, TimeSpan.FromSeconds(seconds));
            failed += Report(target, result, $"from seed {seed}") ? 0 : 1;
        }

        Console.WriteLine($"{targets.Count - failed} passed, {failed} failed, 0 skipped");
        return failed == 0 ? 0 : 1;
    }

    private static bool Report(string target, FuzzResult result, string what)
    {
        Console.WriteLine($"{target}: {result.Iterations} inputs {what}, {result.Outcomes} outcomes");
        if (result.Failure is null)
        {
            return true;
        }

        Console.WriteLine($"{target}: FAILED {what}: {result.Failure}");
        Console.WriteLine(result.File is null ? "" : $"{target}: the input is in {result.File}");
        return false;
    }
}
