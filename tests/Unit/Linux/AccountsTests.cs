using System;
using System.IO;
using Strato.Engine.Linux;
using Xunit;

namespace Strato.Tests.Unit.Linux;

public sealed class AccountsTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Theory]
    [InlineData("guest", 2000u, 3000u)]
    [InlineData("guest.two", 4_000_000_000u, 1u)]
    public void AUserIsFoundByItsName(string name, uint user, uint group)
    {
        File.WriteAllText(_file, "# a comment\nroot:x:0:0:root:/root:/bin/sh\nshort:x:5\nguest:x:2000:3000:A guest, of a house:/:/bin/false\nguest.two:x:4000000000:1::/:\nguest:x:1:1::/:\n");
        Assert.True(Accounts.TryFind(name, out uint foundUser, out uint foundGroup, _file));
        Assert.Equal((user, group), (foundUser, foundGroup));
    }

    [Theory]
    [InlineData("gues")]
    [InlineData("short")]
    [InlineData("negative")]
    [InlineData("# a comment")]
    [InlineData("")]
    public void WhatIsNoUserIsNotFound(string name)
    {
        File.WriteAllText(_file, "# a comment\nshort:x:5\nguest:x:2000:3000::/:\nnegative:x:-1:1::/:\n");
        Assert.False(Accounts.TryFind(name, out uint user, out uint group, _file));
        Assert.Equal((0u, 0u), (user, group));
    }

    [Fact]
    public void TheHostsOwnFileHasRoot()
    {
        Assert.True(Accounts.TryFind("root", out uint user, out uint group));
        Assert.Equal((0u, 0u), (user, group));
    }
}
