using System;
using System.Collections.Generic;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Protocol;

public sealed class MacAddressTests
{
    [Theory]
    [InlineData("52:54:00:12:34:56")]
    [InlineData("52-54-00-12-34-56")]
    public void AnAddressIsRead(string text)
    {
        byte[] address = MacAddress.Parse(text, "-device mac");
        Assert.Equal([0x52, 0x54, 0, 0x12, 0x34, 0x56], address);
        Assert.Equal("52:54:00:12:34:56", MacAddress.Format(address));
    }

    [Theory]
    [InlineData("", "isn't six bytes in hexadecimal divided by colons")]
    [InlineData("52:54:00:12:34", "isn't six bytes")]
    [InlineData("52:54:00:12:34:5g", "isn't six bytes")]
    [InlineData("52:54:00:12:34: 5", "isn't six bytes")]
    [InlineData("52:54:0:12:34:56", "isn't six bytes")]
    [InlineData("00:00:00:00:00:00", "is all zeros")]
    [InlineData("01:00:5e:00:00:01", "is a group's address; an interface's first byte is even; allowed is one such as 52:54:00:12:34:56.")]
    public void WhatIsNoAddressOfAnInterfaceIsRefused(string text, string problem)
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => MacAddress.Parse(text, "-device mac"));
        Assert.Equal(("InvalidMac", "-device mac"), (e.Id, e.Where));
        Assert.StartsWith($"'{text}' {problem}", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NamesMakeAddressesOfTheirOwn()
    {
        HashSet<string> seen = [];
        for (int i = 0; i < 10_000; i++)
        {
            byte[] address = MacAddress.Generate($"vm{i / 2}", i % 2);
            Assert.Equal(2, address[0] & 3);
            Assert.True(seen.Add(MacAddress.Format(address)), $"the second time {MacAddress.Format(address)}");
        }
    }

    /// <summary>A guest keeps its lease and its firewall's rules over releases.</summary>
    [Fact]
    public void TheAddressOfANameStaysForEver() =>
        Assert.Equal("e2:58:cb:75:7f:29", MacAddress.Format(MacAddress.Generate("web", 0)));
}
