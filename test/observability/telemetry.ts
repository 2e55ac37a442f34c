import { context, type Context, trace, type Tracer } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { instrument, type InstrumentOptions } from 'wimse/opentelemetry'

/** One series of a metric. */
export interface Series {
  readonly metric: string
  readonly attributes: Readonly<Record<string, unknown>>
  /** The count of a counter, or of a histogram's measurements. */
  readonly count: number
}

/** The real SDK, with what it would export kept in memory. */
export interface Telemetry {
  readonly series: () => Promise<readonly Series[]>
  /** Runs something within a span, and gives the attributes the span has by its end. */
  readonly inSpan: (run: () => Promise<unknown>) => Promise<Readonly<Record<string, unknown>>>
  readonly stop: () => Promise<void>
}

/** Starts the SDK and instruments this process. */
export function startTelemetry(options: InstrumentOptions = {}): Telemetry {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  const spans = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const tracer: Tracer = tracerProvider.getTracer('test')
  const stopInstrument = instrument({ meterProvider, ...options })
  return {
    series: async () => {
      await reader.forceFlush()
      const latest = exporter.getMetrics().at(-1)
      return (latest?.scopeMetrics ?? []).flatMap(({ metrics }) =>
        metrics.flatMap(({ descriptor, dataPoints }) =>
          dataPoints.map(({ attributes, value }) => ({
            metric: descriptor.name,
            attributes,
            count: typeof value === 'number' ? value : value.count,
          })),
        ),
      )
    },
    inSpan: async (run) => {
      const span = tracer.startSpan('GET')
      const active: Context = trace.setSpan(context.active(), span)
      await context.with(active, run)
      span.end()
      return spans.getFinishedSpans().at(-1)!.attributes
    },
    stop: async () => {
      stopInstrument()
      context.disable()
      await Promise.all([meterProvider.shutdown(), tracerProvider.shutdown()])
    },
  }
}
