using System;
using System.IO;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>What a start does not waste time on.</summary>
[Trait("Where", "anywhere")]
public sealed class StartTests
{
    public StartTests() => TestHost.RequireEngine();

    [Fact]
    public void Libraries_are_not_looked_for_beside_the_engine() =>
        Assert.True(File.ReadAllBytes(TestHost.Engine).AsSpan().IndexOf("$ORIGIN"u8) < 0, "the engine has a run path");
}
