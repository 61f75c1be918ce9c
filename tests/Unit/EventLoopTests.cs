using System;
using System.Collections.Generic;
using System.Threading;
using Strato.Engine.Linux;
using Xunit;

namespace Strato.Tests.Unit;

public class EventLoopTests
{
    [Fact]
    public void WorkPostedFromAnotherThreadRunsOnTheLoop()
    {
        using EventLoop loop = new();
        int ran = 0;
        int thread = Environment.CurrentManagedThreadId;
        Thread other = new(() =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                loop.Post(() => ran += Environment.CurrentManagedThreadId == thread ? 1 : 0);
            }

            loop.Post(loop.Stop);
        });
        other.Start();
        loop.Run();
        other.Join();
        Assert.Equal(10_000, ran);
    }

    [Fact]
    public void WhatTheHostRefusesToOneHandlerIsToldAndTheOthersGoOn()
    {
        using EventLoop loop = new();
        using FileDescriptor a = Libc.CreateEventFd();
        List<string> told = [];
        int ran = 0;
        LinuxException refusal = new("ioctl", Errno.EPERM);
        loop.Post(() => throw refusal);
        Assert.Same(refusal, Assert.Throws<LinuxException>(() => loop.RunOnce(1000)));

        loop.Failed = error => told.Add(error.Message);
        loop.Add(a.Value, EpollEvents.In, _ => throw refusal);
        loop.Post(() => throw refusal);
        loop.Post(() => ran++);
        Libc.SignalEventFd(a.Value);
        Assert.True(loop.RunOnce(1000));
        Assert.Equal(1, ran);
        Assert.Equal(told, [refusal.Message, refusal.Message]);
    }

    [Fact]
    public void AHandlerRemovedInTheSameBatchIsNotCalled()
    {
        using EventLoop loop = new();
        using FileDescriptor a = Libc.CreateEventFd();
        using FileDescriptor b = Libc.CreateEventFd();
        int calls = 0;
        loop.Add(a.Value, EpollEvents.In, _ => Once(b.Value));
        loop.Add(b.Value, EpollEvents.In, _ => Once(a.Value));
        Libc.SignalEventFd(a.Value);
        Libc.SignalEventFd(b.Value);
        Assert.True(loop.RunOnce(1000));
        Assert.Equal(1, calls);

        void Once(int other)
        {
            calls++;
            loop.Remove(other);
        }
    }
}
