using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using Strato.Tests.Fuzz;
using Xunit;

namespace Strato.Tests.Unit;

/// <summary>A thousand damaged inputs a target, the same ones each time; <c>./build.sh test --long</c> tries others for longer.</summary>
public class FuzzTests
{
    public static TheoryData<string> Targets => [.. Fuzzer.Targets];

    [Theory]
    [InlineData("throw")]
    [InlineData("hang")]
    [InlineData("allocate")]
    [InlineData("invariant")]
    public void AFaultIsFoundAndItsInputKept(string fault)
    {
        using ManualResetEventSlim over = new();
        FuzzResult result = Fuzzer.Run(() => new Faulty(fault, over), $"faulty-{fault}", seed: 3, iterations: 100_000, TimeSpan.FromMinutes(2), TimeSpan.FromMilliseconds(300));
        over.Set();
        Assert.NotNull(result.Failure);
        Assert.EndsWith($"out/fuzz/faulty-{fault}-3.bin", result.File, StringComparison.Ordinal);
        Assert.Equal((byte)'!', File.ReadAllBytes(result.File!)[0]);
        FuzzResult again = Fuzzer.Run(() => new Faulty("throw", over), $"faulty-{fault}", seed: 3, iterations: 100_000, TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(1));
        Assert.Equal(result.Iterations, fault == "hang" ? again.Iterations - 1 : again.Iterations);
        File.Delete(result.File!);
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void DamagedInputsAreRefusedInOrder(string target)
    {
        FuzzResult result = Fuzzer.Run(target, seed: 1, iterations: 1000, TimeSpan.FromMinutes(2));
        Assert.True(result.Failure is null, $"{result.Failure} (input: {result.File})");
        Assert.Equal(1000, result.Iterations);
        Assert.True(result.Outcomes > 3, $"only {result.Outcomes} different things come of 1000 inputs: the target sees too little of them");
    }

    /// <summary>Does wrong at an input that begins with '!', which no seed does.</summary>
    private sealed class Faulty(string fault, ManualResetEventSlim over) : FuzzTarget
    {
        public override IReadOnlyList<byte[]> Seeds { get; } = ["?a"u8.ToArray()];

        public override string Run(byte[] input)
        {
            if (input is [(byte)'!', ..])
            {
                switch (fault)
                {
                    case "throw":
                        throw new InvalidOperationException("a fault");
                    case "hang":
                        over.Wait();
                        break;
                    case "allocate":
                        GC.KeepAlive(new byte[AllocationLimit + 1]);
                        break;
                    default:
                        Require(holds: false, "a fault");
                        break;
                }
            }

            return "fine";
        }
    }
}
