using Strato.PowerShell;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>When a question is not to be asked.</summary>
public sealed class ConsentTests
{
    [Theory]
    [InlineData("-NonInteractive", true)]
    [InlineData("-noni", true)]
    [InlineData("--noninteractive", true)]
    [InlineData("-NoProfile", false)]
    [InlineData("-non", false)]
    [InlineData("NonInteractive", false)]
    public void NonInteractiveIsSeenHoweverItIsWritten(string argument, bool expected) =>
        Assert.Equal(expected, Consent.NonInteractive(["pwsh", argument, "-c"]));
}
