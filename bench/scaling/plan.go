package scaling

import "time"

// Plan defines what is measured. Its tags define the flags of the command.
type Plan struct {
	Rounds   int           `json:"rounds" default:"3" help:"Turns per point; the median counts."`
	Warmup   time.Duration `json:"warmup" default:"1s" help:"Time before a turn is measured."`
	Duration time.Duration `json:"duration" default:"3s" help:"Measured time of a turn."`
	Load     int           `json:"load" default:"64" help:"Sagas in flight in the other series."`

	InFlight []int `json:"in_flight" default:"1,4,16,64,256,1024" help:"Sagas in flight."`
	Steps    []int `json:"steps" default:"3,10,30" help:"Steps of a saga."`
	Payload  []int `json:"payload" default:"100,1000,10000,100000" help:"Bytes of data per saga."`
	Replicas []int `json:"replicas" default:"1,2,4" help:"Replicas of the orchestrator."`
	Finished []int `json:"finished" default:"0,100000,1000000,10000000" help:"Finished sagas in the tables."`
	Waiting  []int `json:"waiting" default:"0,100000,1000000" help:"Unfinished sagas that wait on timers."`
	Rates    []int `json:"rates" default:"25,50,75,90" help:"Rates of an open loop, in percent of the highest rate."`

	Backlog int           `json:"backlog" default:"100000" help:"Sagas started while no worker runs."`
	Idle    time.Duration `json:"idle" default:"20s" help:"Measured time of the idle orchestrator."`
	Soak    time.Duration `json:"soak" default:"1h" help:"Duration of the soak."`
	Sample  time.Duration `json:"sample" default:"1m" help:"Time between samples of the soak."`
}
