using System;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>One guest for all tests of a class, booted by the first that asks for it.</summary>
public abstract class SharedGuest : IDisposable
{
    private DebianGuest? _guest;
    private string? _failure;

    /// <summary>The guest; skips the test where guests can't run, and fails it where this guest didn't boot.</summary>
    internal DebianGuest Guest
    {
        get
        {
            TestHost.RequireGuests();
            Assert.True(_failure is null, _failure);
            try
            {
                return _guest ??= DebianGuest.Boot(Options);
            }
            catch (Exception error)
            {
                _failure = $"the guest did not boot: {error.Message}";
                throw;
            }
        }
    }

    internal abstract GuestOptions Options { get; }

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        _guest?.Dispose();
    }
}
