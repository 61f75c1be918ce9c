using System;
using System.Collections.Generic;
using System.Linq;
using Xunit.Sdk;
using Xunit.v3;

namespace Strato.Tests.Guest.Harness;

/// <summary>Runs a class's tests in the order of its source: those that share a guest use it, and the last ends it.</summary>
public sealed class SourceOrder : ITestCaseOrderer
{
    public IReadOnlyCollection<TTestCase> OrderTestCases<TTestCase>(IReadOnlyCollection<TTestCase> testCases)
        where TTestCase : ITestCase
    {
        ArgumentNullException.ThrowIfNull(testCases);
        return [.. testCases.OrderBy(test => test.SourceLineNumber ?? 0)];
    }
}
